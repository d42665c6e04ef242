"""A stand-in for Comet's backend, as far as its SDK asks for artifacts."""

from testbed.comet.server import API_KEY, Call, CometServer
from testbed.comet.state import File, Version

__all__ = ["API_KEY", "Call", "CometServer", "File", "Version"]

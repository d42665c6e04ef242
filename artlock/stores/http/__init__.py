"""Single files on the web.

Modules:
    store    the store: what is asked, and what is made of an answer
    answers  what an answer says, and whether it fits the question
    session  requests: redirects, headers, proxies, and the errors of urllib3
    address  which hosts may be connected to
"""

from artlock.stores.http.store import HttpStore

__all__ = ["HttpStore"]

"""git's hooks that artlock has a part in, and the scripts that call it."""

from __future__ import annotations

from enum import StrEnum


class Hook(StrEnum):
    """The moments at which git asks artlock."""

    PRE_COMMIT = "pre-commit"
    PRE_MERGE_COMMIT = "pre-merge-commit"
    POST_CHECKOUT = "post-checkout"
    POST_MERGE = "post-merge"
    POST_REWRITE = "post-rewrite"

    @property
    def may_refuse(self) -> bool:
        """Whether it comes before a commit, and can prevent it."""
        return self in {Hook.PRE_COMMIT, Hook.PRE_MERGE_COMMIT}

    @property
    def call(self) -> str:
        """The line by which a hook asks artlock, also in a hook of somebody's own."""
        return f'artlock git hook {self} "$@"'

    def is_called_in(self, text: str) -> bool:
        """Tell whether a script asks artlock, and not only in a comment."""
        lines = (line.strip() for line in text.splitlines())
        return any(self.call in line for line in lines if not line.startswith("#"))

    @property
    def script(self) -> str:
        """What `install_hooks` writes."""
        if self.may_refuse:
            missing = "nothing was checked. `--no-verify` commits all the same"
        else:
            missing = "it cannot tell whether other data belongs here by now"
        return (
            "#!/bin/sh\n"
            "# Written by `artlock git install --hooks`; "
            "`artlock git uninstall` takes it away.\n"
            "command -v artlock >/dev/null || {\n"
            f"  echo 'artlock is not on the path: {missing}' >&2\n"
            f"  exit {int(self.may_refuse)}\n"
            "}\n"
            f"exec {self.call}\n"
        )

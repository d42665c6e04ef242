"""The file system, made safe: durable, atomic, and never through somebody's symbolic link.

Functions here raise ``OSError`` for what the operating system refused; whoever calls knows
what the file was for and translates (``problems.raising``). They raise ``WorkspaceError``
themselves only for what they refuse of their own: a link or special file in the way, a path
that leaves its root, a mutex that stays taken. Nothing here knows of digests or rows.
"""

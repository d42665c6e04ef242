import random
import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from artlock.model.digest import Digest
from artlock.model.globs import problem_with_pattern, selector
from artlock.model.manifest import Manifest
from artlock.model.tokens import Tokens, count_trusts, problems_with_tokens, trust_of
from artlock.model.uri import Uri
from tests.strategies import digests, manifests, tokens, uris

# Text that is often nearly tokens.
TOKEN_LIKE = st.lists(
    st.sampled_from(
        [
            *("blake3:" + "0" * 64, "sha256:" + "a" * 64, "sha512:" + "f" * 128),
            *("crc64nvme:" + "0" * 16, "crc32c:0000000a", "crc32c:1"),
            *("md5:" + "0" * 32, "md5:" + "A" * 32, "md5:"),
            *("etag:abc", "etag:a%2Fb", "etag:a%2fb", "etag:%22", "etag:é", "etag:"),
            *("etag:%", "etag:%ff", "etag:%20", "x:1", "y-2:~", "X:1", "a", ":", ""),
            *("x:", "x:a b"),
        ]
    ),
    max_size=4,
).map(" ".join)


def refusal(parse: Callable[[str], object], text: str) -> ValueError | None:
    try:
        parse(text)
    except ValueError as error:
        return error
    return None


@given(uris())
def test_a_uri_survives_its_text(uri: Uri) -> None:
    assert Uri.parse(str(uri)) == uri


@given(st.text(max_size=25) | st.from_regex(r"(s3|gs|https?|file|x1)?:?/{0,3}[ -~]{0,15}"))
def test_any_text_is_a_uri_that_survives_or_is_refused_with_a_phrase(text: str) -> None:
    error = refusal(Uri.parse, text)
    if error is None:
        uri = Uri.parse(text)
        assert Uri.parse(str(uri)) == uri
        assert isinstance(uri.file_name, str)
        assert isinstance(uri.local_path, str)
    else:
        # A UnicodeDecodeError is a ValueError too, but not a phrase.
        assert type(error) is ValueError


@given(digests())
def test_a_digest_survives_its_text(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest


@given(tokens())
def test_tokens_survive_their_text(some: Tokens) -> None:
    assert Tokens.parse(str(some)) == some


@given(tokens().map(str) | TOKEN_LIKE)
def test_text_is_refused_exactly_if_it_is_not_what_tokens_write(text: str) -> None:
    problems = problems_with_tokens([text])
    error = refusal(Tokens.parse, text)
    if error is None:
        some = Tokens.parse(text)
        assert problems == []
        assert str(some) == text
        assert trust_of(text) == some.trust
    else:
        assert problems == [(0, str(error))]
        assert type(error) is ValueError


@given(st.lists(tokens().map(str) | TOKEN_LIKE, max_size=5), st.randoms())
def test_texts_are_judged_together_as_one_by_one(
    texts: list[str], chance: random.Random
) -> None:
    # Letters of names that are hex digits too, and digits that are another name's.
    for _ in range(3):
        for index, text in enumerate(texts):
            if text and chance.random() < 0.5:
                at = chance.randrange(len(text))
                texts[index] = text[:at] + chance.choice("0afm:\n é") + text[at + 1 :]
            elif chance.random() < 0.2:
                texts[index] = text.replace("sha256", "sha512")
        expected = [
            (index, str(error))
            for index, text in enumerate(texts)
            if (error := refusal(Tokens.parse, text)) is not None
        ]
        assert problems_with_tokens(texts) == expected


@given(st.lists(tokens().map(str), max_size=5))
def test_trusts_are_counted_as_one_by_one(texts: list[str]) -> None:
    trusts = [Tokens.parse(text).trust for text in texts]
    assert count_trusts(texts) == {t: (trusts.count(t), trusts.index(t)) for t in trusts}


@given(tokens(), st.randoms(use_true_random=False))
def test_tokens_in_another_order_are_written_alike(
    some: Tokens, chance: random.Random
) -> None:
    other = Tokens(
        digests=tuple(chance.sample(some.digests, len(some.digests))),
        checksums=tuple(chance.sample(some.checksums, len(some.checksums))),
        unknown=tuple(chance.sample(some.unknown, len(some.unknown))),
        etag=some.etag,
    )
    assert str(other) == str(some)


@given(tokens(), tokens())
def test_tokens_agree_or_contradict_but_never_both(one: Tokens, other: Tokens) -> None:
    assert not (one.agrees(other) and one.contradicts(other))
    assert one.contradicts(other) == other.contradicts(one)
    assert not one.contradicts(one)


@given(
    st.lists(
        st.sampled_from(["*", "**", "a", "b", "?", "[ab]", "[!a]", "a*", "*b*"]), max_size=5
    ),
    st.lists(st.sampled_from(["a", "b", "ab", "ba", "abb", "c"]), min_size=1, max_size=5),
)
def test_a_pattern_matches_what_a_naive_matcher_matches(
    segments: list[str], names: list[str]
) -> None:
    pattern, path = "/".join(segments), "/".join(names)
    if problem_with_pattern(pattern) is None:
        assert selector((pattern,), ())(path) == naive(segments, names)


def naive(segments: list[str], names: list[str]) -> bool:
    if not segments:
        return not names
    first, *rest = segments
    if first == "**":
        if not rest:
            return bool(names)
        return any(naive(rest, names[i:]) for i in range(len(names)))
    if not names:
        return False
    expression = first.replace("*", ".*").replace("?", ".").replace("[!", "[^")
    return re.fullmatch(expression, names[0]) is not None and naive(rest, names[1:])


@given(manifests())
def test_places_are_below_the_project_and_artifacts_are_found_by_name(
    manifest: Manifest,
) -> None:
    for artifact in manifest.artifacts:
        assert manifest.get(artifact.name) == artifact
        assert artifact.folder in {f"places/{artifact.name}", f"data/{artifact.name}"}
    assert manifest.get("no such name") is None

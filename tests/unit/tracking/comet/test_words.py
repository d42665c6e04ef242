"""comet.words: what the client's process says, without the key."""

import io

from artlock.tracking.comet.words import Words


def test_what_becomes_secret_later_is_taken_out_from_then_on() -> None:
    to, secrets = io.BytesIO(), list[str]()
    words = Words(to, secrets)
    assert words.write("nothing \ud800 yet\n") == 14
    secrets.append("theKeyItself")
    words.write("KeyError: theKeyItself at https://u:p@host/\n")
    said = to.getvalue().decode()  # written at once
    assert said.splitlines() == [
        "nothing \\ud800 yet",
        "KeyError: *** at https://***@host/",
    ]

from artlock.cache.pins import KEY_LENGTH, pin_key
from artlock.model.lock import LockedObject

ROW = LockedObject("x", 1, "etag:a", "")


def test_text_of_the_environment_that_is_not_utf_8_has_a_key_too() -> None:
    key = pin_key("s3\nAWS_CONFIG_FILE=/home/jos\udce9", "s3://b/x", ROW)
    assert len(key) == KEY_LENGTH
    others = ("jos\udce8", "jos\\udce9", "jos\xe9", "jose")
    assert key not in {
        pin_key(f"s3\nAWS_CONFIG_FILE=/home/{o}", "s3://b/x", ROW) for o in others
    }

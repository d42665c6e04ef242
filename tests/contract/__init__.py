import pytest

# Its asserts say as much as those of a test's own file.
pytest.register_assert_rewrite("tests.contract.store_contract")

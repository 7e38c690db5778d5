"""Tests of Numba's internals run before all others: where one of these is missing, most other tests fail."""


def pytest_collection_modifyitems(items):
    """Move them to the beginning, each group in its order."""
    items.sort(key=lambda item: item.path.name != "test_numba_internals.py")

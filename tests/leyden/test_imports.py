import gc

import pytest

from leyden.imports import imports_at_once


def test_the_collector_goes_on_after_the_imports_and_passes_over_what_they_made() -> None:
    gc.unfreeze()
    made = []
    with pytest.raises(ImportError), imports_at_once():
        assert not gc.isenabled()
        made.append([made])
        raise ImportError
    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000
    assert not any(each is made for each in gc.get_objects())

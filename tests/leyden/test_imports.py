import gc

from leyden.imports import imports_at_once


def test_the_collector_goes_on_after_the_imports_and_passes_over_what_they_made() -> None:
    gc.unfreeze()
    with imports_at_once():
        was_enabled = gc.isenabled()
        made: list[object] = []
        made.append(made)
    assert (was_enabled, gc.isenabled()) == (False, True)
    assert gc.get_freeze_count() > 10_000
    assert not any(each is made for each in gc.get_objects())

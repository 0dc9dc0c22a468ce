from collectors.agent.trouble import Backoff, Trouble


def test_only_changes_are_told() -> None:
    trouble = Trouble()
    assert trouble.ends() is False
    assert [trouble.begins() for _ in range(3)] == [True, False, False]
    assert [trouble.ends() for _ in range(2)] == [True, False]
    assert trouble.begins() is True


def test_pauses_double_up_to_the_longest_and_vary() -> None:
    backoff = Backoff(longest=60)
    pauses = [backoff.pause() for _ in range(100)]
    for pause, full in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60], strict=False):
        assert full / 2 <= pause <= full
    assert max(pauses) <= 60
    assert len(set(pauses)) > 90
    backoff.reset()
    assert backoff.pause() <= 1

"""The circuit breaker, on a clock that the test moves."""

from integrations_pipeline.transport.breaker import FAILURES, RETRIES, Breaker


def opened(now=1000.0):
    breaker = Breaker()
    for number in range(FAILURES):
        breaker.failed(f"t{number}", now)
    return breaker


def test_a_few_failures_in_a_row_open_it_and_an_answer_between_does_not():
    breaker = Breaker()
    for number in range(FAILURES - 1):
        breaker.failed(f"t{number}", 1000.0)
    breaker.answered("t")
    breaker.failed("t", 1001.0)
    assert breaker.ready("x", 1001.0) == 0

    assert opened().ready("x", 1000.0) == 1002.0


def test_while_it_is_open_late_failures_and_answers_change_nothing():
    breaker = opened()
    breaker.failed("late", 1001.0)
    breaker.answered("later")

    assert breaker.ready("x", 1001.5) == 1002.0


def test_exactly_one_is_let_through_and_its_answer_closes_it():
    breaker = opened()
    assert breaker.ready("trial", 1002.0) == 0
    assert breaker.begin("trial", 1002.0)

    assert breaker.ready("other", 1003.0) > 1003.0
    assert breaker.answered("trial")
    assert breaker.ready("other", 1003.0) == 0
    assert breaker.failures == 0


def test_each_trial_that_fails_doubles_the_rest_up_to_a_minute():
    breaker, now, rests = opened(), 1002.0, []
    for number in range(7):
        breaker.begin(f"t{number}", now)
        breaker.failed(f"t{number}", now)
        rests.append(breaker.until - now)
        now = breaker.until

    assert rests == [4, 8, 16, 32, 60, 60, 60]


def test_a_trial_that_died_is_followed_by_another():
    breaker = opened()
    breaker.begin("dead", 1002.0)

    assert breaker.ready("other", 1091.0) > 1091.0
    assert breaker.ready("other", 1092.5) == 0


def test_retries_are_few_while_nothing_succeeds():
    breaker = Breaker()
    breaker.earn(0, 1000.0)
    assert [breaker.retry() for _ in range(20)].count(True) == RETRIES


def test_successes_and_time_pay_for_retries():
    breaker = Breaker()
    breaker.earn(0, 1000.0)
    while breaker.retry():
        pass
    breaker.earn(10, 1000.0)
    assert [breaker.retry() for _ in range(5)] == [True, True, False, False, False]
    breaker.earn(0, 1031.0)
    assert [breaker.retry() for _ in range(2)] == [True, False]

"""What may follow what: delivery's own steps, and the ranks of reports."""

from messaging.models import PREDECESSORS, REPORT_RANK, Status


def test_only_delivery_leads_back_and_only_from_sending_to_queued() -> None:
    order = [Status.QUEUED, Status.SENDING, Status.UNKNOWN, Status.SENT, Status.FAILED]
    back = {
        (before, after)
        for after, predecessors in PREDECESSORS.items()
        for before in predecessors
        if order.index(before) >= order.index(after)
    }
    assert back == {(Status.SENDING, Status.QUEUED)}


def test_what_is_unknown_is_never_sent_again() -> None:
    assert [after for after, before in PREDECESSORS.items() if Status.UNKNOWN in before] == [
        Status.SENT,
        Status.FAILED,
    ]
    assert PREDECESSORS[Status.SENDING] == (Status.QUEUED,)


def test_delivery_sets_nothing_that_only_reports_and_webhooks_know() -> None:
    told = {Status.DELIVERED, Status.READ, Status.RECEIVED}
    assert set(PREDECESSORS) == set(Status) - told
    assert not told.intersection(*map(set, PREDECESSORS.values()))
    # Delivery's own ends are none that delivery leaves, but for an answer that came late.
    assert not {Status.SENT, Status.FAILED} & {one for before in PREDECESSORS.values() for one in before}


def test_reports_rank_sent_delivered_failed_read() -> None:
    ranked = sorted(REPORT_RANK, key=lambda status: REPORT_RANK[status])
    assert ranked == [None, Status.SENT, Status.DELIVERED, Status.FAILED, Status.READ]
    assert len(set(REPORT_RANK.values())) == len(REPORT_RANK)


def test_a_message_without_a_report_ranks_below_every_report() -> None:
    assert REPORT_RANK[None] == 0
    assert min(rank for status, rank in REPORT_RANK.items() if status) > 0

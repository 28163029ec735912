"""What a monitoring system asks for, in Prometheus' text format.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "asana_mirror"
OUTCOMES = ("complete", "budget", "interrupted", "unreachable", "guarded", "failed")
RUNS = "runs "  # before an outcome, in the names of totals

# Totals of a process that lives long: their names are those of a run's report.
COUNTERS = {
    "requests": "Requests to Asana.",
    "requests_refused": "Requests that Asana answered with a wait or a refusal.",
    "seconds_waited": "Seconds that requests waited for the allowance.",
    "rows_inserted": "Rows that are new.",
    "rows_updated": "Rows that changed.",
    "rows_deleted": "Rows that became tombstones.",
}
NAMES_IN_REPORTS = {"requests_refused": "refused"}  # where they differ from those of the metrics

Sample = tuple[Mapping[str, str], float]


def fresh_totals() -> dict[str, int]:
    """What a process counts from its start on, for `metrics_text`: figures of reports, and `runs ` + outcome."""
    names = [NAMES_IN_REPORTS.get(name, name) for name in COUNTERS]
    return dict.fromkeys([*names, *(RUNS + outcome for outcome in OUTCOMES)], 0)


def metrics_text(health: Mapping[str, Any], totals: Mapping[str, float], counts: Mapping[str, int]) -> str:
    """Everything that is known, one family after the other.

    `health` as `read_health` tells it, `totals` as `fresh_totals` begins them, `counts` as the receiver of webhooks
    keeps them. A counter that nobody keeps is left out: one that could fall would be read as a restart.
    """
    return "".join([*_gauges(health), *_counters(totals), *_deliveries(counts)])


def _gauges(health: Mapping[str, Any]) -> Iterator[str]:
    yield from _gauge("healthy", "Whether the mirror is as fresh as it should be: 1 or 0.", health["healthy"])
    yield from _gauge("age_seconds", "Since the last complete run over everything began.", health["age_s"])
    yield from _gauge("max_age_seconds", "The greatest age that counts as healthy.", health["max_age_s"])
    yield from _gauge(
        "oldest_stream_age_seconds",
        "Since the event stream that waits longest was read.",
        health["oldest_stream_age_s"],
    )
    yield from _gauge(
        "unread_notices", "Notices of events that no run has followed yet.", health["unread_notices"]
    )
    yield from _gauge(
        "waiting_deliveries", "Deliveries of webhooks that wait to be read.", health["waiting_deliveries"]
    )
    webhooks = [({"state": state}, count) for state, count in health["webhooks"].items()]
    yield from _family("webhooks", "gauge", "Webhooks; silent ones are active too.", webhooks)
    yield from _gauge("problems", "What cannot be read with this token.", health["problems"])
    yield from _gauge("file_bytes", "Size of the mirror, without what lies beside it.", health.get("bytes"))


def _counters(totals: Mapping[str, float]) -> Iterator[str]:
    runs = [
        ({"outcome": name.removeprefix(RUNS)}, count)
        for name, count in totals.items()
        if name.startswith(RUNS)
    ]
    yield from _family("runs_total", "counter", "Runs that ended, by outcome.", runs)
    for name, words in COUNTERS.items():
        total = totals.get(NAMES_IN_REPORTS.get(name, name))
        if total is not None:
            yield from _family(f"{name}_total", "counter", words, [({}, total)])


def _deliveries(counts: Mapping[str, int]) -> Iterator[str]:
    results = [({"result": name}, count) for name, count in counts.items()]
    yield from _family(
        "deliveries_total", "counter", "Requests to the receiver of webhooks, by result.", results
    )


def _gauge(name: str, words: str, value: float | None) -> Iterator[str]:
    yield from _family(name, "gauge", words, [] if value is None else [({}, value)])


def _family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    """All samples of one name; nothing where there are none."""
    samples = list(samples)
    if samples:
        full = f"{PREFIX}_{name}"
        yield f"# HELP {full} {_escaped(words)}\n# TYPE {full} {kind}\n"
        for labels, value in samples:
            yield f"{full}{_labels(labels)} {float(value)!r}\n"


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{_quotable(text)}"' for name, text in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("\n", "\\n")


def _quotable(text: str) -> str:
    return _escaped(text).replace('"', '\\"')

"""The node's work: series that are complete are predicted, results sent, what is done cleared away, one after another."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vertseg.errors import VertsegError
from vertseg.serve.dicom_node.inbox import Inbox, State
from vertseg.serve.dicom_node.sender import SendError, send
from vertseg.serve.dicom_node.settings import NodeSettings, Target

Predictor = Callable[[Path, Path], None]
"""Predicts the series in the first folder and writes results, DICOM objects among them, into the second."""

_MAX_ATTEMPTS: Final = 3
_LONGEST_WAIT: Final = 64
_LOG = logging.getLogger("vertseg.node")


@dataclass(frozen=True)
class _Retry:
    """When a target is tried again, and after how long the time after that."""

    due: float
    wait_s: float


class Worker:
    """Takes series through their states. A series that fails is set aside with a sentence and stops nothing.

    The log names series by the key of their folder, which says nothing of the person.
    """

    def __init__(self, settings: NodeSettings, inbox: Inbox, predictor: Predictor) -> None:
        self._settings = settings
        self._inbox = inbox
        self._predictor = predictor
        self._retries: dict[tuple[str, Target], _Retry] = {}

    def run(self, stop: threading.Event, poll_s: float = 0.5) -> None:
        """Work until `stop` is set; what is being predicted then is finished first."""
        while not stop.is_set():
            if not self.step(stop):
                stop.wait(poll_s)

    def step(self, stop: threading.Event | None = None) -> bool:
        """Look at every series once; whether anything was done."""
        busy = False
        for key in self._inbox.series():
            if stop is not None and stop.is_set():
                break
            try:
                busy |= self._advance(key)
            except (VertsegError, OSError) as error:
                # Such as a full disk: the state is as it was, and it is tried again.
                _LOG.error("series %s: %s", key, type(error).__name__)
        return busy

    def _advance(self, key: str) -> bool:
        state = self._inbox.state(key)
        if state.status == "collecting":
            return self._is_complete(key) and self._predict(key, state)
        if state.status == "predicted":
            return self._send(key, state)
        self._clear(key, state)
        return False

    def _is_complete(self, key: str) -> bool:
        if self._settings.complete_on == "association" and not self._inbox.is_being_sent(key):
            return True
        return self._inbox.quiet_s(key) >= self._settings.quiet_s

    def _predict(self, key: str, state: State) -> bool:
        if state.attempts >= _MAX_ATTEMPTS:
            sentence = f"The prediction was cut off {state.attempts} times; the node does not try again."
            return self._fail(key, state, sentence, self._inbox.count(key))
        seen = self._inbox.count(key)
        state = replace(state, attempts=state.attempts + 1)
        self._inbox.set_state(key, state)
        start = time.monotonic()
        try:
            self._predictor(self._inbox.images(key), self._inbox.result(key))
        except VertsegError as error:
            return self._fail(key, state, str(error), seen)
        except Exception as error:  # one bad series must not stop the node
            return self._fail(
                key, state, f"The prediction went wrong ({type(error).__name__}: {error}).", seen
            )
        if self._inbox.set_state_if_unchanged(key, seen, State(status="predicted")):
            _LOG.info("series %s: %d images predicted in %.1f s", key, seen, time.monotonic() - start)
        return True

    def _fail(self, key: str, state: State, sentence: str, seen: int) -> bool:
        failed = replace(state, status="failed", sentence=sentence)
        if self._inbox.set_state_if_unchanged(key, seen, failed):
            _LOG.error("series %s: could not be predicted; %s says why", key, Path(key) / "state.json")
        return True

    def _send(self, key: str, state: State) -> bool:
        files = sorted(self._inbox.result(key).glob("*.dcm"), reverse=True)
        sent = list(state.sent)
        busy = False
        for target in self._settings.targets if files else ():
            if str(target) in sent or not self._is_due(key, target):
                continue
            try:
                send(files, target, self._settings.aet)
            except SendError as error:
                self._postpone(key, target)
                _LOG.warning("series %s: not sent: %s", key, error)
                continue
            _LOG.info("series %s: %d objects sent to %s", key, len(files), target)
            self._retries.pop((key, target), None)
            sent.append(str(target))
            state = replace(state, sent=tuple(sent))
            self._inbox.set_state(key, state)
            busy = True
        if not files or {str(t) for t in self._settings.targets} <= set(sent):
            sentence = "" if files else "No vertebra was found, so there was nothing to send."
            self._inbox.set_state(key, replace(state, status="done", sentence=sentence))
            busy = True
        return busy

    def _is_due(self, key: str, target: Target) -> bool:
        retry = self._retries.get((key, target))
        return retry is None or time.monotonic() >= retry.due

    def _postpone(self, key: str, target: Target) -> None:
        first = self._settings.retry_s
        last = self._retries.get((key, target))
        wait = first if last is None else min(2 * last.wait_s, _LONGEST_WAIT * first)
        self._retries[key, target] = _Retry(time.monotonic() + wait, wait)

    def _clear(self, key: str, state: State) -> None:
        if time.time() - state.ended < self._settings.keep_s:
            return
        if state.status == "done" and not state.sent:
            # Nobody else has the results.
            if self._inbox.images(key).is_dir():
                self._inbox.remove_images(key)
        else:
            self._inbox.remove(key)

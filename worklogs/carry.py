"""One carry step: everything that is to be written into one target issue, by one writer.

Look for what may have been written before, plan, commit the intents, write, commit what came of it.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import batched

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connections.clients.http import FaultKind, SiteError
from worklogs import ledger, plan, recover, refusals, rules, steps, write
from worklogs.context import Context, InterruptedRunError
from worklogs.issues import Issue
from worklogs.ledger import Place, Result, place_of
from worklogs.models import AuditEntry, Entry, Fetched, Leftover, Step
from worklogs.plan import Action, Agreed, Create, Decline, Keep, Link, Mapped, Move, Update
from worklogs.rules import Author, Refuse
from worklogs.sides import JiraSide, TempoSide
from worklogs.worklog import Worklog
from worklogs.write import Written

ENTRIES_A_COMMIT = 20
BULK = 50
PLANS_A_COMMIT = 500
# What stood on an issue this long ago may have been changed by people since.
NOTED_SECONDS = 120
SOON, ELSEWHERE_SECONDS = 0.5, 5.0
LOOK_EARLY_SECONDS, EARLY_LOOKS_SECONDS = 3.0, 6.0
# A failed call of these kinds concerns the entry or issue it was made for, not the run.
ENTRYS_OWN = (FaultKind.WAITING, FaultKind.FINAL)

type Plan = list[Action]
type Batch = Sequence[tuple[Mapped, AuditEntry]]


def carry(context: Context, step: Step) -> float | None:
    """Carries one issue's entries. Seconds after which the step must be looked at again, None when it is done.

    Raises SiteError only where the run has to stop or the whole step has to be tried again.
    """
    if context.run.is_dry:
        _rehearse(context, step)
        return None
    return Carriage(context, step).carry()


def _rehearse(context: Context, step: Step) -> None:
    """The plan as the dry run's result; nothing is written abroad."""
    carriage = Carriage(context, step)
    actions = carriage.planned(carriage.pending())
    results = [carriage.foreseen(action) for action in actions] + carriage.unforeseeable()
    for part in batched(results, PLANS_A_COMMIT):
        ledger.settle_plan(context, part)


def _doors(action: Create | Update | Move) -> tuple[tuple[str, ...], ...]:
    """By which names a refusal may hold for further writes: all of the issue, one kind of them, one author's."""
    kind = "update" if isinstance(action, Update) else "create"
    return (), (kind,), (kind, action.mapped.token)


def _next_look(seconds_left: float) -> float:
    """Most writes of unknown outcome have happened and are found soon; the rest is decided when the time is up."""
    early = seconds_left > recover.LOOK_AGAIN.total_seconds() - EARLY_LOOKS_SECONDS
    return max(SOON, min(seconds_left, LOOK_EARLY_SECONDS) if early else seconds_left)


def queue_removal(context: Context, left: Leftover) -> None:
    """A step of its own for an old copy that a move has left behind."""
    lock = f"{context.jira_site}:{left.issue}"
    spec = context.spec_of({"id": left.issue, "key": left.issue}, removals=[left.copy])
    key = f"{context.key_of(left.issue)} without {left.copy}"
    steps.add(context.run, Step.Kind.CARRY, key, lock=lock, spec=spec)


class Carriage:
    """One step's way through an issue."""

    # What a run calls an entry whose new copy stands, so that the old one may go.
    moved_by: tuple[Fetched.Outcome, ...] = (Fetched.Outcome.UPDATED, Fetched.Outcome.UNCHANGED)

    def __init__(self, context: Context, step: Step) -> None:
        self.context = context
        self.step = step
        self.issue = Issue(**step.spec["issue"])
        self.place = place_of(self.issue)
        self._standing: list[Worklog] | None = None
        self._closed: dict[tuple[str, ...], Refuse] = {}
        self._said: dict[str, tuple[str, ...]] = {}
        self._unseen = False

    def carry(self) -> float | None:
        self._remove_moved()
        self._recover()
        for actions in batched(self.planned(self.pending()), BULK):
            self._carry_out(list(actions))
        return self._seconds_to_wait()

    def give_up(self, fault: SiteError) -> None:
        """The issue cannot be read though its site answers: its entries are open until the next run."""
        refuse = refusals.of_issue(self.issue.key, fault)
        declined = [self._mapped(row, None) for row in self.pending()]
        actions = [one if isinstance(one, Decline) else Decline(one, refuse) for one in declined]
        self._settle([self._without_writing(action) for action in actions])
        if not self.context.run.is_dry:
            self._fail_unseen(list(recover.unsettled(self.context).filter(issue=self.issue.id)), fault)

    def pending(self) -> list[Fetched]:
        """The issue's entries that are neither settled nor of unknown outcome, here or on another issue."""
        unsettled = recover.unsettled(self.context).order_by().values("entry")
        return list(self._undecided().exclude(entry__in=unsettled).order_by("id"))

    def _undecided(self) -> QuerySet[Fetched]:
        return self.context.run.fetched.filter(issue=self.step.key, outcome=Fetched.Outcome.PENDING)

    def planned(self, rows: Sequence[Fetched]) -> Plan:
        """Each entry's action, those that cannot even be tried declined."""
        entries = [row.entry for row in rows]
        agreed = self._agreed(entries)
        self._note_what_is_said(entries)
        tried = recover.never_taken(self.context, entries)
        declined: Plan = []
        mapped: list[Mapped] = []
        for row in rows:
            one = self._mapped(row, agreed.get(row.entry))
            if isinstance(one, Mapped) and row.entry in tried:
                one = Decline(one, refusals.of_tries(tried[row.entry].message, recover.TRIES))
            mapped.append(one) if isinstance(one, Mapped) else declined.append(one)
        if not mapped:
            return declined
        try:
            standing = [*self._standing_now(), *self._copies_elsewhere(mapped)]
        except SiteError as fault:
            if fault.kind not in ENTRYS_OWN:
                raise
            return declined + [Decline(one, refusals.refusal(fault)) for one in mapped]
        owned = recover.owned(self.context, standing, {one.source.entry for one in mapped})
        return declined + plan.plan_issue(mapped, standing, owned, self.context.policy)

    def foreseen(self, action: Action) -> Result:
        """What an action would come to, for a dry run."""
        copy = action.mapped.copy
        made = {
            Create: (Fetched.Outcome.CREATED, AuditEntry.Action.CREATE),
            Update: (Fetched.Outcome.UPDATED, AuditEntry.Action.UPDATE),
            Move: (Fetched.Outcome.UPDATED, AuditEntry.Action.UPDATE),
        }
        if isinstance(action, Create | Update | Move):
            outcome, name = made[type(action)]
            return self._result(action.mapped, outcome, name, stored=copy.with_(entry=""))
        return self._without_writing(action)

    def unforeseeable(self) -> list[Result]:
        """What a dry run can say of entries whose last write is still to be looked for: a look would settle it."""
        unsettled = recover.unsettled(self.context).order_by().values("entry")
        rows = self._undecided().filter(entry__in=unsettled)
        return [self._unknown(Worklog.from_json(row.values), row.account) for row in rows]

    def _unknown(self, source: Worklog, account: str) -> Result:
        why = refusals.of_unknown()
        return Result(
            source=source,
            place=self.place,
            outcome=Fetched.Outcome.FAILED,
            action=AuditEntry.Action.REFUSE,
            why=why,
            cause=ledger.cause_of(self.context, source, self.place, account, why.code),
        )

    # --- before writing

    def _mapped(self, row: Fetched, agreed: Agreed | None) -> Mapped | Decline:
        source = Worklog.from_json(row.values)
        author = self._author(row.account, source)
        copy = (
            author
            if isinstance(author, Refuse)
            else rules.copy_of(source, self.issue.id, author, self.context.policy)
        )
        if isinstance(copy, Refuse):
            return Decline(Mapped(source, source, row.account), copy)
        token = author.token if isinstance(author, Author) else ""
        return Mapped(source, copy, row.account, token, agreed)

    def _author(self, account: str, source: Worklog) -> Author | Refuse:
        side, context = self.context.side, self.context
        refused = context.refused_tokens.get(source.person.email.casefold())
        if account and refused and isinstance(side, JiraSide):
            return refusals.of_personal_token(source.person.email, refused)
        if account and isinstance(side, TempoSide):
            return Author(account, true=True)
        if account and account in context.tokens:
            return Author(account, true=True, token=context.tokens[account])
        return Author(side.account, true=False)

    def _agreed(self, entries: Sequence[str]) -> dict[str, Agreed]:
        return {
            entry: Agreed(trace.right_id, trace.right_issue, trace.source_digest, trace.agreed_digest)
            for entry, trace in self.context.traces_of(entries).items()
        }

    def _note_what_is_said(self, entries: Sequence[str]) -> None:
        """A refusal that repeats the last one to the letter gets no second audit row."""
        known = Entry.objects.filter(connection=self.context.connection, site=self.context.source_site)
        rows = known.filter(entry__in=entries).exclude(code="")
        self._said = {
            entry: tuple(told) for entry, *told in rows.values_list("entry", "code", "message", "digest")
        }

    def _standing_now(self) -> list[Worklog]:
        """Read once a step; a recovery has read it already, a vendor that gives many issues at once before."""
        noted, at = self.step.spec.get("standing"), self.step.spec.get("standing_at", 0)
        if self._standing is None and noted is not None and time.time() - at < NOTED_SECONDS:
            self._standing = [Worklog.from_json(row) for row in noted]
        if self._standing is None:
            self._standing = self.context.side.standing(self.issue.id)
        return self._standing

    def _copies_elsewhere(self, mapped: Sequence[Mapped]) -> list[Worklog]:
        """Copies that stand on another issue, of entries that have moved here."""
        away = [one.agreed.twin for one in mapped if one.agreed and one.agreed.issue != self.issue.id]
        return self.context.side.by_id(away) if away else []

    # --- what may have been written before

    def _recover(self) -> None:
        intents = list(recover.unsettled(self.context).filter(issue=self.issue.id))
        if not intents:
            return
        try:
            seen = recover.look(self.context, self.issue.id)
        except SiteError as fault:
            if fault.kind not in ENTRYS_OWN:
                raise
            if self.context.run.retry and fault.status == 404:
                recover.give_up(intents)
            else:
                self._fail_unseen(intents, fault)
            return
        self._standing = list(seen.standing)
        self._settle_found(recover.recover(self.context, self.place, intents, seen))

    def _settle_found(self, results: Sequence[Result]) -> None:
        """What was written before, though nobody knew."""
        self._settle(results)

    def _fail_unseen(self, intents: Sequence[AuditEntry], fault: SiteError) -> None:
        """Where nobody may look, nothing is written again: the intents stay open, and a later run looks."""
        self._unseen = True
        why = Refuse(
            "unknown_outcome",
            f"Nobody knows whether this entry was written, and its issue cannot be read: {fault.message}",
            refusals.refusal(fault).hint,
            kind=str(FaultKind.PASSING),
        )
        ledger.settle(
            self.context,
            [
                Result(
                    source=intent.source_worklog,
                    place=self.place,
                    outcome=Fetched.Outcome.FAILED,
                    action=AuditEntry.Action(intent.action),
                    why=why,
                    silent=True,
                )
                for intent in intents
            ],
        )

    def _seconds_to_wait(self) -> float | None:
        """Until when a look that finds nothing proves nothing, for what is still undecided here."""
        if self._unseen:
            return None
        unsettled = recover.unsettled(self.context)
        until = [row.look_until for row in unsettled.filter(issue=self.issue.id) if row.look_until]
        if until:
            return _next_look((max(until) - timezone.now()).total_seconds())
        return self._seconds_for_elsewhere(unsettled.filter(entry__in=self._undecided().values("entry")))

    def _seconds_for_elsewhere(self, intents: QuerySet[AuditEntry]) -> float | None:
        """Intents on other issues, of entries that belong here now: as long as a step may still look for them."""
        if not intents.exists():
            return None
        keys = [self.context.key_of(issue) for issue in intents.values_list("issue", flat=True)]
        others = self.context.run.steps.filter(kind=Step.Kind.CARRY, key__in=keys)
        if others.exclude(pk=self.step.pk).exclude(state=Step.State.DONE).exists():
            return ELSEWHERE_SECONDS
        rows = self._undecided().filter(entry__in=intents.values("entry"))
        self._settle([self._unknown(Worklog.from_json(row.values), row.account) for row in rows])
        return None

    # --- writing

    def _carry_out(self, actions: Plan) -> None:
        creates = [action for action in actions if isinstance(action, Create)]
        if isinstance(self.context.side, TempoSide) and self._may_be_bulk() and len(creates) > 1:
            self._create_in_bulk([action.mapped for action in creates])
            actions = [action for action in actions if not isinstance(action, Create)]
        for part in batched(actions, ENTRIES_A_COMMIT):
            self._carry_out_singly(part)

    def _may_be_bulk(self) -> bool:
        """Bulk creation has no field for the remaining estimate."""
        return self.context.manner.estimate == "auto" or self.issue.remaining is None

    def _carry_out_singly(self, actions: Sequence[Action]) -> None:
        still = [action for action in actions if isinstance(action, Link | Keep | Decline)]
        self._settle([self._without_writing(action) for action in still])
        moving = [action for action in actions if isinstance(action, Create | Update | Move)]
        intents = self._intents(moving)
        results: list[Result] = []
        open_intents = list(intents)
        try:
            for action, intent in zip(moving, intents, strict=True):
                self.context.halt.check()
                result = self._written_or_refused(action, intent)
                open_intents.remove(intent)
                if result:
                    results.append(result)
        except (SiteError, InterruptedRunError):
            ledger.withdraw(open_intents)
            raise
        finally:
            self._settle(results)

    def _intents(self, actions: Sequence[Create | Update | Move]) -> list[AuditEntry]:
        rows: list[AuditEntry] = []
        creates = [action.mapped for action in actions if not isinstance(action, Update)]
        updates = [action for action in actions if isinstance(action, Update)]
        made: dict[str, AuditEntry] = {}
        if creates:
            rows = ledger.intend(self.context, creates, self.place, AuditEntry.Action.CREATE)
            made |= {row.entry: row for row in rows}
        if updates:
            rows = ledger.intend(
                self.context,
                [action.mapped for action in updates],
                self.place,
                AuditEntry.Action.UPDATE,
                [action.before.entry for action in updates],
            )
            made |= {row.entry: row for row in rows}
        return [made[action.mapped.source.entry] for action in actions]

    def _written_or_refused(self, action: Create | Update | Move, intent: AuditEntry) -> Result | None:
        """The result of one write; None where its outcome is unknown and has to be looked for later."""
        name = AuditEntry.Action(intent.action)
        if refuse := self._refused_already(action) or self._changed_meanwhile(action):
            return self._refused(action.mapped, name, refuse, intent)
        try:
            done = self._write(action)
        except SiteError as fault:
            return self._after_fault(action, intent, fault)
        outcome = Fetched.Outcome.CREATED if isinstance(action, Create) else Fetched.Outcome.UPDATED
        return self._result(
            action.mapped,
            outcome,
            name,
            stored=done.stored,
            exchange=done.exchange,
            intent=intent,
            before=None if isinstance(action, Create) else action.before,
        )

    def _write(self, action: Create | Update | Move) -> Written:
        context = self.context
        context.stop_if_target_is_down()
        with self._in_turn():
            if isinstance(action, Update):
                return write.update(context.side, action.mapped, action.before, self.issue, context.manner)
            return write.create(context.side, action.mapped, self.issue, context.manner)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Keeps to Jira's limit of writes to one issue. Tempo has none but its requests a second."""
        if not isinstance(self.context.side, JiraSide):
            yield
            return
        pace = self.context.pace_of(self.issue.id)
        while (seconds := pace.wait_before_next()) > 0:
            self.context.halt.pause(seconds)
        try:
            yield
        finally:
            pace.sent()

    def _after_fault(
        self, action: Create | Update | Move, intent: AuditEntry, fault: SiteError
    ) -> Result | None:
        if fault.code == "unknown_outcome":
            self._note_unknown(intent, fault)
            return None
        if fault.code == "auth_failed" and action.mapped.token:
            refuse = refusals.of_personal_token(action.mapped.token, fault.message)
        elif fault.kind not in ENTRYS_OWN:
            raise fault
        else:
            refuse = refusals.refusal(fault)
        self._remember_refusal(action, refuse)
        exchange = fault.exchange.as_json() if fault.exchange else None
        return self._refused(action.mapped, AuditEntry.Action(intent.action), refuse, intent, exchange)

    def _note_unknown(self, intent: AuditEntry, fault: SiteError) -> None:
        exchange = fault.exchange
        began = exchange.sent_at if exchange else timezone.now()
        AuditEntry.objects.filter(pk=intent.pk).update(
            look_until=max(began + recover.LOOK_AGAIN, timezone.now()),
            code="unknown_outcome",
            message=fault.message,
            exchange=exchange.as_json() if exchange else None,
        )

    def _changed_meanwhile(self, action: Create | Update | Move) -> Refuse | None:
        """A copy is read again right before it is written over: people may have changed it since it was planned."""
        if isinstance(action, Create):
            return None
        try:
            now = self.context.side.by_id([action.before.entry])
        except SiteError as fault:
            if fault.kind not in ENTRYS_OWN:
                raise
            return refusals.refusal(fault)
        if now and now[0].digest == action.before.digest:
            return None
        return plan.conflict("was changed at its source, and its copy was changed on the target meanwhile")

    def _refused_already(self, action: Create | Update | Move) -> Refuse | None:
        keys = _doors(action)
        return next((self._closed[key] for key in keys if key in self._closed), None)

    def _remember_refusal(self, action: Create | Update | Move, refuse: Refuse) -> None:
        told = replace(refuse, message=f"{refuse.message} (The same issue's next entries were not sent.)")
        every, of_kind, of_kind_and_author = _doors(action)
        if refuse.code in refusals.OF_THE_ISSUE:
            self._closed[every] = told
        elif refuse.code in refusals.OF_THE_ISSUES_CREATES:
            self._closed[of_kind] = told
        elif refuse.code in refusals.OF_ISSUE_AND_AUTHOR and not isinstance(action, Update):
            self._closed[of_kind_and_author] = told

    # --- bulk creation

    def _create_in_bulk(self, batch: list[Mapped]) -> None:
        intents = ledger.intend(self.context, batch, self.place, AuditEntry.Action.CREATE)
        open_intents = list(intents)
        try:
            for part, results in self._bulk_results(list(zip(batch, intents, strict=True))):
                self._settle(results)
                open_intents = [intent for intent in open_intents if intent not in part]
        except (SiteError, InterruptedRunError):
            ledger.withdraw(open_intents)
            raise

    def _bulk_results(self, batch: Batch) -> Iterator[tuple[list[AuditEntry], list[Result]]]:
        """Intents and what came of them, part by part; a refused bulk is halved until the bad entries stand alone."""
        self.context.halt.check()
        intents = [intent for _, intent in batch]
        if len(batch) == 1:
            result = self._written_or_refused(Create(batch[0][0]), intents[0])
            yield intents, [result] if result else []
            return
        try:
            yield intents, self._bulk(batch)
        except SiteError as fault:
            if fault.code == "unknown_outcome":
                for intent in intents:
                    self._note_unknown(intent, fault)
                yield intents, []
                return
            if fault.kind not in ENTRYS_OWN:
                raise
            yield from self._narrowed(batch)

    def _narrowed(self, batch: Batch) -> Iterator[tuple[list[AuditEntry], list[Result]]]:
        """Nothing says that a refused bulk leaves nothing behind: what it did write is found first."""
        seen = recover.look(self.context, self.issue.id)
        results = recover.recover(self.context, self.place, [intent for _, intent in batch], seen)
        found = {result.intent.pk: result.intent for result in results if result.intent}
        if found:
            yield list(found.values()), results
        rest = [(mapped, intent) for mapped, intent in batch if intent.pk not in found]
        for part in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            if part:
                yield from self._bulk_results(part)

    def _bulk(self, batch: Batch) -> list[Result]:
        side = self.context.side
        if not isinstance(side, TempoSide):
            raise TypeError("only Tempo creates in bulk")
        done = write.create_many(side, [mapped for mapped, _ in batch], self.issue)
        return [
            self._result(
                mapped,
                Fetched.Outcome.CREATED,
                AuditEntry.Action.CREATE,
                stored=one.stored,
                exchange=one.exchange,
                intent=intent,
            )
            for (mapped, intent), one in zip(batch, done, strict=True)
        ]

    # --- copies left behind by a move

    def _queue_removals(self, results: Sequence[Result]) -> None:
        """Steps of their own: the old issue's step may be under way, and past its removals."""
        entries = [result.source.entry for result in results if result.outcome in self.moved_by]
        if not entries:
            return
        context = self.context
        moved = Leftover.objects.filter(connection=context.connection, site=context.source_site)
        for left in moved.filter(entry__in=entries):
            queue_removal(context, left)

    def _remove_moved(self) -> None:
        copies = self.step.spec.get("removals", [])
        moved = Leftover.objects.filter(connection=self.context.connection, site=self.context.source_site)
        for left in moved.filter(copy__in=copies):
            source = Worklog.from_json(left.source)
            if not self._may_remove(left, source):
                continue
            try:
                exchange = write.remove(self.context.side, left.copy, left.issue, self.context.manner)
            except SiteError as fault:
                if fault.kind not in ENTRYS_OWN:
                    raise
                self._fail_removal(left, source, fault)
            else:
                ledger.settle_removal(self.context, left, source, exchange)

    def _may_remove(self, left: Leftover, source: Worklog) -> bool:  # noqa: ARG002
        return True

    def _fail_removal(self, left: Leftover, source: Worklog, fault: SiteError) -> None:
        """The hours stand twice on the target: the entry is open until the old copy is gone."""
        entry = Entry.objects.get(
            connection=self.context.connection, site=self.context.source_site, entry=left.entry
        )
        refuse = refusals.refusal(fault)
        message = (
            f"The entry was moved to {entry.issue_key}, and its old copy {left.copy} could not be deleted: "
        )
        why = replace(
            refuse,
            message=message + fault.message,
            hint=f"{refuse.hint} Or delete worklog {left.copy} by hand.",
        )
        carried = self.context.run.steps.filter(kind=Step.Kind.CARRY, key=entry.issue).first()
        place = place_of(Issue(**carried.spec["issue"])) if carried else Place(entry.issue, entry.issue_key)
        found = self.context.run.fetched.get(site=self.context.source_site, entry=left.entry)
        result = Result(
            source=source,
            place=place,
            outcome=Fetched.Outcome.FAILED,
            action=AuditEntry.Action.DELETE,
            planned_seconds=entry.planned_seconds,
            why=why,
            before=Worklog.from_json(left.values),
            exchange=fault.exchange.as_json() if fault.exchange else None,
            cause=ledger.cause_of(self.context, source, place, found.account, why.code),
            silent=(entry.code, entry.message) == (why.code, why.message),
        )
        ledger.settle(self.context, [result])

    # --- results

    def _settle(self, results: Sequence[Result]) -> None:
        with transaction.atomic():
            ledger.settle(self.context, results)
            ledger.note_leftovers(self.context, results)
            self._queue_removals(results)

    def _without_writing(self, action: Action) -> Result:
        if isinstance(action, Link):
            return self._result(
                action.mapped,
                Fetched.Outcome.LINKED,
                AuditEntry.Action.LINK,
                stored=action.standing,
                reason=action.reason,
            )
        if isinstance(action, Keep):
            return self._result(
                action.mapped,
                Fetched.Outcome.UNCHANGED,
                AuditEntry.Action.LINK,
                stored=action.standing,
                silent=True,
            )
        if isinstance(action, Decline) and isinstance(action.why, Refuse):
            name = AuditEntry.Action.PARK if action.why.parked else AuditEntry.Action.REFUSE
            return self._refused(action.mapped, name, action.why)
        raise TypeError(f"{action!r} is a write")

    def _refused(
        self,
        mapped: Mapped,
        action: AuditEntry.Action,
        why: Refuse,
        intent: AuditEntry | None = None,
        exchange: dict | None = None,
    ) -> Result:
        outcome = Fetched.Outcome.PARKED if why.parked else Fetched.Outcome.FAILED
        told = (why.code, why.message, mapped.source.digest)
        return replace(
            self._result(mapped, outcome, action, intent=intent, exchange=exchange),
            why=why,
            silent=intent is None and self._said.get(mapped.source.entry) == told,
            cause=ledger.cause_of(self.context, mapped.source, self.place, mapped.account, why.code),
        )

    def _result(self, mapped: Mapped, outcome: Fetched.Outcome, action: AuditEntry.Action, **more) -> Result:
        return Result(
            source=mapped.source,
            place=self.place,
            outcome=outcome,
            action=action,
            planned_seconds=mapped.copy.seconds,
            **more,
        )

"""One carry step of a sync: everything one lane has to write into one issue, by one writer.

Both sides are compared with what they last agreed on; what is written, and what both have come to, is agreed anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched
from typing import Any

from django.db import transaction

from connections.clients.http import FaultKind, SiteError
from connections.options import Deletes
from worklogs import (
    changes,
    ledger,
    mapping_twins,
    merge,
    plan,
    plan_twins,
    recover,
    refusals,
    rules,
    steps,
    write,
)
from worklogs.carry import BULK, ENTRIES_A_COMMIT, ENTRYS_OWN, PLANS_A_COMMIT, SOON, Carriage
from worklogs.context import InterruptedRunError
from worklogs.lanes import LaneContext, agreed_on, id_on, twin_of
from worklogs.ledger import Agreed, Result
from worklogs.merge import Agreement
from worklogs.models import AuditEntry, Entry, Fetched, Leftover, Step, TwinTrace, Verdict
from worklogs.plan import Create, Mapped, Move, Update
from worklogs.plan_twins import Delete, End, Found, Join, Leave, Refusal, Target, Terms, Write
from worklogs.rules import Author, Refuse
from worklogs.sides import JiraSide
from worklogs.worklog import Person, Worklog
from worklogs.write import Written


def carry(context: LaneContext, step: Step) -> float | None:
    """Carries one lane's entries of one issue. Seconds after which the step must be looked at again, None when done.

    Raises SiteError only where the run has to stop or the whole step has to be tried again.
    """
    context.readiness.ensure(context)
    carriage = TwinCarriage(context, step)
    if context.run.is_dry:
        carriage.rehearse()
        return None
    return carriage.carry()


class BusyIssueError(SiteError):
    """A move would write to an issue that somebody else is writing to: nothing was sent."""

    def __init__(self, issue: str) -> None:
        super().__init__("", FaultKind.PASSING, "site_unavailable", f"Issue {issue} is being written to.")


class TwinCarriage(Carriage):
    """One lane's way through an issue."""

    context: LaneContext
    moved_by = (
        Fetched.Outcome.CREATED,
        Fetched.Outcome.UPDATED,
        Fetched.Outcome.UNCHANGED,
        Fetched.Outcome.LINKED,
    )

    def __init__(self, context: LaneContext, step: Step) -> None:
        super().__init__(context, step)
        self._found: dict[str, Found] = {}
        self._traces: dict[str, TwinTrace] = {}
        self._merges: dict[str, merge.Merge] = {}
        self._joined: set[str] = set()

    def carry(self) -> float | None:
        self._remove_moved()
        self._recover()
        try:
            self._carry_pending()
            if self._joined:
                self._carry_pending()
        except BusyIssueError:
            return SOON
        return self._seconds_to_wait()

    def rehearse(self) -> None:
        actions = self._decided(self._unplanned(self.pending()))
        results = [self._foreseen(action) for action in actions] + self.unforeseeable()
        for part in batched(results, PLANS_A_COMMIT):
            ledger.settle_plan(self.context, part)

    def _carry_pending(self) -> None:
        actions = self._decided(self.pending())
        self._join([action for action in actions if isinstance(action, Join)])
        still = [action for action in actions if isinstance(action, Leave | End | Refusal)]
        for part in batched(still, PLANS_A_COMMIT):
            self._settle([self._left(action) for action in part])
        self._hand_back([action for action in actions if isinstance(action, Leave)])
        writes = [self._as_write(action) for action in actions if isinstance(action, Write)]
        for batch in batched(writes, BULK):
            self._carry_out(list(batch))
        for deletes in batched([a for a in actions if isinstance(a, Delete)], ENTRIES_A_COMMIT):
            self._delete(deletes)

    # --- what to do

    def _decided(self, rows: Sequence[Fetched]) -> list[plan_twins.Action]:
        """Each entry's action. The target is read before anything is asked of the records: what another lane or
        connection writes meanwhile is then in one of both."""
        entries = [row.entry for row in rows]
        self._note_what_is_said(entries)
        if not rows:
            return []
        try:
            standing = self._standing_now()
            awaited = self._awaited(rows)
            self._traces = self.context.traces_of(entries)
            standing = [*standing, *self._twins_elsewhere(standing)]
        except SiteError as fault:
            if fault.kind not in ENTRYS_OWN:
                raise
            return self._all_refused(rows, refusals.refusal(fault))
        tried = recover.never_taken(self.context, entries)
        found, refused = self._mapped_all([row for row in rows if row.entry not in awaited], tried)
        refused += self._all_refused([row for row in rows if row.entry in awaited], _awaited_elsewhere())
        target = Target(standing, self.context.claimed([row.entry for row in standing]), self._gone())
        actions = plan_twins.plan_lane(found, target, self._terms())
        self._merges |= {
            action.found.row.entry: action.merge
            for action in actions
            if isinstance(action, Write | Leave) and action.merge
        }
        return refused + actions

    def _mapped_all(
        self, rows: Iterable[Fetched], tried: Mapping[str, AuditEntry]
    ) -> tuple[list[Found], list[plan_twins.Action]]:
        verdicts = self._verdicts([row.entry for row in rows])
        found: list[Found] = []
        refused: list[plan_twins.Action] = []
        for row in rows:
            one = self._mapped_one(row, verdicts.get(row.entry, ""))
            if isinstance(one, Found) and row.entry in tried:
                one = Refusal(one, refusals.of_tries(tried[row.entry].message, recover.TRIES))
            found.append(one) if isinstance(one, Found) else refused.append(one)
            self._found[row.entry] = one if isinstance(one, Found) else one.found
        return found, refused

    def _mapped_one(self, row: Fetched, verdict: str) -> Found | Refusal:
        source = Worklog.from_json(row.values)
        trace = self._traces.get(row.entry)
        twin = twin_of(self.context, trace) if trace else None
        shown = merge.plain(source, self.context.lane.own_source)
        found = Found(source, Mapped(shown, shown, row.account), twin, row.gone, row.gone_at, verdict)
        if row.gone:
            return found
        author = self._author(row.account, shown)
        if isinstance(author, Refuse):
            return Refusal(found, author)
        copy = rules.copy_of(shown, self.issue.id, author, self.context.policy)
        if isinstance(copy, Refuse):
            return Refusal(found, copy)
        carried = self.context.carried_attributes(source)
        fresh = copy.with_(attributes=carried, marked_site=self.context.source_site)
        return replace(found, mapped=Mapped(shown, fresh, row.account, author.token))

    def _author(self, account: str, source: Worklog) -> Author | Refuse:
        """The site's own account is a person like others where it is hers whose work it is."""
        if account and account == self.context.side.own_account:
            return Author(account, true=True)
        return super()._author(account, source)

    def _terms(self) -> Terms:
        run, options = self.context.run, self.context.options
        run.refresh_from_db(fields=["holds_deletes", "allow_deletes"])
        allowed = run.allow_deletes is not None and not run.holds_deletes
        deletes = Deletes.MIRROR if allowed and options.deletes is Deletes.PARK else options.deletes
        return Terms(
            self.context.lane,
            self.context.policy,
            deletes,
            run.holds_deletes,
            source_site=self.context.source_site,
            target_site=self.context.side.name,
        )

    def _verdicts(self, entries: Sequence[str]) -> dict[str, str]:
        """What a person has decided, about the entry itself or about its twin: one lane has to carry it."""
        context = self.context
        verdicts = Verdict.objects.filter(connection=context.connection)
        twins = {id_on(trace, context.target_side): entry for entry, trace in self._traces.items()}
        about_twins = verdicts.filter(site=context.side.name, entry__in=twins).values_list("entry", "choice")
        own = verdicts.filter(site=context.source_site, entry__in=entries).values_list("entry", "choice")
        return {twins[twin]: choice for twin, choice in about_twins} | dict(own)

    def _gone(self) -> dict[str, datetime | None]:
        """Worklogs of the target that are known to be deleted, in this run or held back by an earlier one."""
        context = self.context
        side = context.target_side
        twins = [id_on(trace, side) for trace in self._traces.values()]
        fetched = context.run.fetched.filter(site=context.side.name, gone=True, entry__in=twins)
        held = Entry.objects.filter(
            connection=context.connection, site=context.side.name, code="deletes_held", entry__in=twins
        )
        known: dict[str, datetime | None] = dict.fromkeys(held.values_list("entry", flat=True))
        return known | dict(fetched.values_list("entry", "gone_at"))

    def _twins_elsewhere(self, standing: Sequence[Worklog]) -> list[Worklog]:
        """Twins that do not stand on this issue: moved there, or on the way here."""
        here = {row.entry for row in standing}
        side = self.context.target_side
        ids = [id_on(trace, side) for trace in self._traces.values() if not trace.ended]
        away = [worklog for worklog in ids if worklog not in here]
        return self.context.side.by_id(away) if away else []

    def _awaited(self, rows: Sequence[Fetched]) -> set[str]:
        """Entries that may be what somebody's write of unknown outcome has left on the source side."""
        context = self.context
        intents = AuditEntry.objects.filter(
            target_site=context.source_site,
            issue__in={row.work for row in rows},
            outcome=AuditEntry.Outcome.WRITING,
            action=AuditEntry.Action.CREATE,
        )
        copies = [intent.intended for intent in intents]
        if not copies:
            return set()
        policy = context.back.policy if context.back else context.policy
        standing = [Worklog.from_json(row.values) for row in rows if not row.gone]
        return {row.entry for row in plan.find_written(copies, standing, (), policy).values()}

    def _all_refused(self, rows: Iterable[Fetched], why: Refuse) -> list[plan_twins.Action]:
        refused: list[plan_twins.Action] = []
        for row in rows:
            source = Worklog.from_json(row.values)
            found = Found(source, Mapped(source, source, row.account), gone=row.gone)
            self._found[row.entry] = found
            refused.append(Refusal(found, why))
        return refused

    def _unplanned(self, rows: Sequence[Fetched]) -> list[Fetched]:
        """In a dry run nothing is linked: what the other lane has planned to link is not planned twice."""
        planned = self.context.run.audit.filter(
            action=AuditEntry.Action.LINK, target_site=self.context.source_site
        )
        twins = set(planned.values_list("twin", flat=True))
        done = [row for row in rows if row.entry in twins]
        ledger.leave_as_is(self.context, done, Fetched.Outcome.UNCHANGED)
        return [row for row in rows if row.entry not in twins]

    # --- results

    def _as_write(self, action: Write) -> Create | Update | Move:
        """The write as any run carries it out, of the worklog as its side holds it."""
        whole = action.action
        return replace(whole, mapped=replace(whole.mapped, source=action.found.row))

    def _result(
        self, mapped: Mapped, outcome: Fetched.Outcome, action: AuditEntry.Action, **more: Any
    ) -> Result:
        result = super()._result(mapped, outcome, action, **more)
        found = self._found[mapped.source.entry]
        stored = result.stored
        agreement = self._agreement(found, stored) if stored else None
        twins = self._twins(found, agreement) if agreement else None
        return replace(result, source=found.row, twins=twins)

    def _agreement(self, found: Found, stored: Worklog) -> Agreement:
        merged = self._merges.get(found.row.entry)
        if merged is None or found.twin is None:
            return Agreement(found.row, stored)
        return merge.agreement(found.present, found.twin, stored, merged)

    def _twins(self, found: Found, agreement: Agreement | None, **more: Any) -> Agreed:
        trace = self._traces.get(found.row.entry)
        is_copy = found.twin.target_is_copy if found.twin else True
        return Agreed(agreement, trace, is_copy, **more)

    def _left(self, action: Leave | End | Refusal) -> Result:
        if isinstance(action, Refusal):
            return self._declined(action)
        if isinstance(action, End):
            return self._ended(action)
        outcome = Fetched.Outcome.UNCHANGED
        if action.found.row.entry in self._joined:
            outcome = Fetched.Outcome.LINKED
        stored = action.standing if action.merge else None
        found = action.found.mapped
        result = self._result(found, outcome, AuditEntry.Action.LINK, stored=stored)
        return replace(result, silent=True, hands_back=action.back)

    def _declined(self, action: Refusal) -> Result:
        if isinstance(action.why, Refuse):
            name = AuditEntry.Action.PARK if action.why.parked else AuditEntry.Action.REFUSE
            return self._refused(action.found.mapped, name, action.why)
        raise TypeError(f"{action.why!r} is settled before it comes here")

    def _ended(self, action: End) -> Result:
        trace = self._traces.get(action.found.row.entry)
        base = super()._result(
            action.found.mapped, Fetched.Outcome.UNCHANGED, AuditEntry.Action.DELETE, reason=action.reason
        )
        stays = trace is not None and not action.both_gone
        twins = self._twins(action.found, None, stays=stays)
        return replace(base, source=action.found.row, twins=twins, silent=True)

    def _foreseen(self, action: plan_twins.Action) -> Result:
        """What an action would come to, for a dry run."""
        if isinstance(action, Write):
            return self.foreseen(self._as_write(action))
        if isinstance(action, Join):
            return self._linked(action)
        if isinstance(action, Delete):
            mapped = action.found.mapped
            result = self._result(mapped, Fetched.Outcome.DELETED, AuditEntry.Action.DELETE)
            return replace(result, before=action.before)
        return self._left(action)

    def _settle(self, results: Sequence[Result]) -> None:
        with transaction.atomic():
            super()._settle(results)
            for result in results:
                self._refresh_other(result)

    def _refresh_other(self, result: Result) -> None:
        """What this lane has just written the other one, which has read before, must not take for an old edit."""
        merged = self._merges.get(result.source.entry)
        if not result.stored or not merged or not merged.taken:
            return
        rows = self.context.run.fetched.filter(
            site=self.context.side.name, entry=result.stored.entry, outcome=Fetched.Outcome.PENDING
        )
        for row in rows:
            old = Worklog.from_json(row.values)
            new = merge.overlaid(old, merged.wanted, merged.taken - {merge.AUTHOR})
            new = new.with_(
                text=result.stored.text,
                person=_named(result.stored.person, old.person),
                updated=result.stored.updated,
            )
            rows.filter(pk=row.pk).update(values=new.to_json(), work=result.stored.work)

    # --- moves

    def _write(self, action: Create | Update | Move) -> Written:
        """Jira moves a worklog as it is. Where it would not, what we wrote ourselves is written anew elsewhere."""
        side = self.context.side
        if not isinstance(action, Move) or not isinstance(side, JiraSide):
            return super()._write(action)
        try:
            return self._moved(side, action)
        except SiteError as fault:
            ours = action.before.person.account in self.context.lane.own_target or action.mapped.token
            if fault.kind not in ENTRYS_OWN or not ours:
                raise
        return super()._write(action)

    def _moved(self, side: JiraSide, action: Move) -> Written:
        self.context.stop_if_target_is_down()
        before, mapped = action.before, action.mapped
        lock = f"{self.context.jira_site}:{before.work}"
        with steps.also_holding(self.step, lock) as held, self._in_turn():
            if not held:
                raise BusyIssueError(before.work)
            exchange = write.move(side, before, self.issue, self.context.manner)
        there = before.with_(work=self.issue.id)
        if merge.changed(merge.facts(there, side.target), merge.facts(mapped.copy, side.target)):
            return super()._write(Update(replace(mapped, token=""), there, ()))
        (stored,) = side.by_id([before.entry]) or (there,)
        return Written(stored, exchange)

    # --- twins that stand there already

    def _join(self, actions: Sequence[Join]) -> None:
        """Linked from now on. Those that differ are planned again, with what follows for fields not agreed on."""
        self._joined = {action.found.row.entry for action in actions if action.unsettled}
        for part in batched(actions, PLANS_A_COMMIT):
            self._settle([self._linked(action) for action in part])
        rows = self.context.run.fetched.filter(site=self.context.source_site, entry__in=self._joined)
        rows.update(outcome=Fetched.Outcome.PENDING)

    def _linked(self, action: Join) -> Result:
        found = action.found
        result = self._result(
            found.mapped,
            Fetched.Outcome.LINKED,
            AuditEntry.Action.LINK,
            stored=action.standing,
            reason=action.reason,
        )
        agreement = Agreement(found.row, action.standing, action.unsettled)
        twins = Agreed(agreement, None, action.target_is_copy, linked=not action.bears_marker)
        return replace(result, twins=twins)

    def _hand_back(self, actions: Sequence[Leave]) -> None:
        """What the other lane has to carry it must have before it."""
        back = self.context.back
        wanted = {a.standing.entry: a.standing for a in actions if a.back and a.standing}
        if back is None or not wanted:
            return
        read = self.context.run.fetched.filter(site=back.source_site, entry__in=wanted)
        for entry in read.values_list("entry", flat=True):
            wanted.pop(entry, None)
        changes.keep(back, list(wanted.values()), again=True)
        mapping_twins.plan_mapping(back)

    # --- deletions

    def _delete(self, actions: Sequence[Delete]) -> None:
        mapped = [replace(a.found.mapped, source=a.found.row, copy=a.before) for a in actions]
        twins = [action.before.entry for action in actions]
        intents = ledger.intend(self.context, mapped, self.place, AuditEntry.Action.DELETE, twins)
        open_intents = list(intents)
        results: list[Result] = []
        try:
            for action, intent in zip(actions, intents, strict=True):
                self.context.halt.check()
                result = self._deleted_or_refused(action, intent)
                open_intents.remove(intent)
                results.extend([result] if result else [])
        except (SiteError, InterruptedRunError):
            ledger.withdraw(open_intents)
            raise
        finally:
            self._settle(results)

    def _deleted_or_refused(self, action: Delete, intent: AuditEntry) -> Result | None:
        mapped, before = action.found.mapped, action.before
        if refuse := self._edited_meanwhile(before):
            return self._refused(mapped, AuditEntry.Action.DELETE, refuse, intent)
        try:
            self.context.stop_if_target_is_down()
            with self._in_turn():
                exchange = write.remove(self.context.side, before.entry, before.work, self.context.manner)
        except SiteError as fault:
            if fault.code == "unknown_outcome":
                self._note_unknown(intent, fault)
                return None
            if fault.kind not in ENTRYS_OWN:
                raise
            sent = fault.exchange.as_json() if fault.exchange else None
            return self._refused(mapped, AuditEntry.Action.DELETE, refusals.refusal(fault), intent, sent)
        return self._gone_now(action.found, before, intent, exchange)

    def _gone_now(
        self, found: Found, before: Worklog, intent: AuditEntry, exchange: dict[str, Any] | None
    ) -> Result:
        base = super()._result(
            found.mapped,
            Fetched.Outcome.DELETED,
            AuditEntry.Action.DELETE,
            before=before,
            intent=intent,
            exchange=exchange,
            reason="Its twin was deleted on the other side.",
        )
        return replace(base, source=found.row, twins=self._twins(found, None))

    def _edited_meanwhile(self, before: Worklog) -> Refuse | None:
        try:
            now = self.context.side.by_id([before.entry])
        except SiteError as fault:
            if fault.kind not in ENTRYS_OWN:
                raise
            return refusals.refusal(fault)
        if not now or now[0].digest == before.digest:
            return None
        return plan.conflict("was deleted on one side, and its twin was changed on the other meanwhile")

    # --- what may have been written before

    def _recover(self) -> None:
        """New copies are looked for as in any run. Whether an update or a deletion has happened shows by itself: it
        is planned again from what stands there now."""
        unsettled = recover.unsettled(self.context).filter(issue=self.issue.id)
        others = list(unsettled.exclude(action=AuditEntry.Action.CREATE))
        rows = self.context.side.by_id({intent.twin for intent in others}) if others else []
        now = {row.entry: row for row in rows}
        traces = self.context.traces_of([intent.entry for intent in others])
        for intent in others:
            trace = traces.get(intent.entry)
            recover.close(intent, self._has_arrived(intent, trace, now.get(intent.twin)))
        if others:
            # What was read before the write says nothing any more.
            self.step.spec.pop("standing", None)
        super()._recover()

    def _has_arrived(self, intent: AuditEntry, trace: TwinTrace | None, now: Worklog | None) -> bool:
        if intent.action == AuditEntry.Action.DELETE or now is None or trace is None:
            return now is None and intent.action == AuditEntry.Action.DELETE
        sent = plan.as_stored(intent.intended, now, self.context.policy)
        before = agreed_on(trace, self.context.target_side)
        return merge.has_arrived(sent, before, now, self.context.side.target)

    def _settle_found(self, results: Sequence[Result]) -> None:
        self._traces = self.context.traces_of([result.source.entry for result in results])
        self._settle([self._recovered(result) for result in results])
        for result in results:
            edited = self.context.run.fetched.filter(
                site=self.context.source_site, entry=result.source.entry, gone=False
            )
            # What was read by now may be newer than what was sent then.
            edited.exclude(digest=result.source.digest).update(
                outcome=Fetched.Outcome.PENDING, issue=self.step.key, mapped=True
            )

    def _recovered(self, result: Result) -> Result:
        """Both agree on what was sent: what somebody has changed of it since is an edit."""
        if result.stored is None:
            return result
        trace = self._traces.get(result.source.entry)
        is_copy = trace is None or trace.origin == self.context.source_side
        sent = result.intent.intended if result.intent else result.stored
        copy = plan.as_stored(sent, result.stored, self.context.policy)
        copy = copy.with_(entry=result.stored.entry, updated=result.stored.updated)
        agreed = Agreed(Agreement(result.source, copy), trace, is_copy)
        before = agreed_on(trace, self.context.target_side) if trace else None
        return replace(result, twins=agreed, before=before, outcome=Fetched.Outcome.CREATED)

    # --- copies left behind by a move

    def _may_remove(self, left: Leftover, source: Worklog) -> bool:
        """Nobody else's worklog is deleted, nor one that somebody has changed since."""
        now = self.context.side.by_id([left.copy])
        kind = self.context.side.target
        before = merge.facts(Worklog.from_json(left.values), kind)
        if not now or not merge.changed(before, merge.facts(now[0], kind)):
            return True
        words = "it is not any more what it was when the entry was moved"
        self._fail_removal(
            left, source, SiteError(self.context.side.name, FaultKind.WAITING, "conflict", words)
        )
        return False

    def _fail_removal(self, left: Leftover, source: Worklog, fault: SiteError) -> None:
        """The hours stand twice on the target: the entry is open until the old copy is gone."""
        refuse = refusals.refusal(fault)
        why = replace(
            refuse,
            message=f"The entry was moved, and its old copy {left.copy} could not be deleted: {fault.message}",
            hint=f"{refuse.hint} Or delete worklog {left.copy} by hand.",
        )
        self._found[source.entry] = Found(source, Mapped(source, source))
        result = self._refused(Mapped(source, source), AuditEntry.Action.DELETE, why)
        self._settle([replace(result, before=Worklog.from_json(left.values))])


def _named(stored: Person, known: Person) -> Person:
    """Tempo's answer to a write tells the author's account alone."""
    return known if stored.account == known.account else stored


def _awaited_elsewhere() -> Refuse:
    return Refuse(
        "unknown_outcome",
        "It may be what another run has just written here; that run has not found out yet.",
        "Nothing: the next run looks again.",
        kind="passing",
    )

"""What is done with worklogs: runs and their steps, how each entry stands, twins, and the audit of every write."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from connections.models import Connection
from worklogs.worklog import Worklog

# PostgreSQL's operator classes: with the first an index also serves searches by the beginning of a text.
PREFIX, BIGINT = "varchar_pattern_ops", "int8_ops"


class Run(models.Model):
    """One execution of a connection. Its number is its primary key."""

    class Kind(models.TextChoices):
        MIGRATION = "migration", "Migration"
        SYNC = "sync", "Sync"
        DRY_RUN = "dry_run", "Dry run"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        PLANNED = "planned", "Planned"
        FINISHED = "finished", "Finished"
        STOPPED = "stopped", "Stopped"
        CANCELLED = "cancelled", "Cancelled"
        BROKEN = "broken", "Broken"

    class Phase(models.TextChoices):
        READING = "reading", "Reading the source"
        MAPPING = "mapping", "Finding people and issues"
        CARRYING = "carrying", "Writing"
        ENDED = "ended", "Ended"

    class Wish(models.TextChoices):
        NONE = "", "go on"
        CANCEL = "cancel", "cancel"
        PAUSE = "pause", "pause"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=20, choices=State.choices, default=State.RUNNING)
    phase = models.CharField(max_length=20, choices=Phase.choices, default=Phase.READING)
    wish = models.CharField(max_length=20, choices=Wish.choices, blank=True, default=Wish.NONE)
    queued = models.BooleanField(default=False)
    retry = models.BooleanField(default=False, help_text="also tries failures whose cause has not changed")
    full = models.BooleanField(
        default=False, help_text="compares everything in scope, whatever the cursors say"
    )
    allow_deletes = models.PositiveIntegerField(
        null=True, blank=True, help_text="so many deletions may be carried out however many twins there are"
    )
    holds_deletes = models.BooleanField(
        default=False, help_text="more entries would be deleted than goes without a question"
    )
    options_digest = models.CharField(max_length=64)
    owner = models.CharField(max_length=300, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    busy_seconds = models.FloatField(default=0)
    passed_over = models.PositiveIntegerField(
        default=0,
        help_text="entries met and left alone: their issue has no counterpart, or they are not to be carried",
    )
    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    counts = models.JSONField(
        default=dict,
        help_text="how many entries were fetched, and what became of them: of `result`, for lists",
    )
    waiting_for = models.CharField(max_length=200, blank=True)
    waiting_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["connection", "-id"]),
            models.Index(fields=["state", "-id"], name="run_by_state"),
            models.Index(fields=["kind", "-id"], name="run_by_kind"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=Q(state="running"), name="one_running_run_a_connection"
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk} of {self.connection_id}"

    @property
    def is_dry(self) -> bool:
        return self.kind == self.Kind.DRY_RUN

    @property
    def is_live(self) -> bool:
        return self.state == self.State.RUNNING

    @property
    def standing(self) -> str:
        """The state as people say it: of a run under way also "paused", or "queued" before a worker took it up."""
        if self.state != self.State.RUNNING:
            return self.state
        if self.wish == self.Wish.PAUSE:
            return "paused"
        return "queued" if self.queued and not self.owner else self.state


class RunLog(models.Model):
    """What a run has to say about itself, for the people who watch it."""

    class Level(models.TextChoices):
        INFO = "info", "Information"
        WARNING = "warning", "Warning"
        ERROR = "error", "Error"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(auto_now_add=True)
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO)
    text = models.TextField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text


class CallCount(models.Model):
    """How many calls a run made to a site, all its parts together."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="calls")
    site = models.CharField(max_length=100)
    method = models.CharField(max_length=10)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["site", "method"]
        constraints = [models.UniqueConstraint(fields=["run", "site", "method"], name="one_count_a_method")]

    def __str__(self) -> str:
        return f"{self.site} {self.method} {self.count}"


class Pulse(models.Model):
    """When a queue was last asked for a sign of life, and when one of its workers last began a task."""

    cluster = models.CharField(max_length=100, unique=True)
    asked_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["cluster"]

    def __str__(self) -> str:
        return f"{self.cluster}: {self.heard_at}"

    @property
    def is_answered(self) -> bool:
        """Whether a worker has begun a task since the question, or nothing was asked."""
        return self.asked_at is None or (self.heard_at is not None and self.heard_at >= self.asked_at)

    @property
    def newest(self) -> datetime:
        """When the queue was last asked or heard."""
        return max(at for at in (self.asked_at, self.heard_at) if at)


class Step(models.Model):
    """A piece of a run that one thread of one process works on at a time: claimed with a lease, safe to repeat.

    `lock` names what a claim excludes everybody else from, over all runs: the target issue of a `carry` step.
    `after` is the key of the carry step that has to be done first, "" for none.
    """

    class Kind(models.TextChoices):
        READ = "read", "Read a part of the source"
        MAP = "map", "Find people and issues"
        CARRY = "carry", "Write one issue's worklogs"
        HOLD = "hold", "Keep others from an issue"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        CLAIMED = "claimed", "Under way"
        DONE = "done", "Done"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(max_length=100)
    lock = models.CharField(max_length=200)
    after = models.CharField(max_length=100, blank=True)
    spec = models.JSONField(default=dict)
    entries = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    not_before = models.DateTimeField(null=True, blank=True)
    failed_attempts = models.PositiveIntegerField(default=0)
    owner = models.CharField(max_length=300, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "state", "kind", "-entries"])]
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "key"], name="one_step_a_key"),
            models.UniqueConstraint(fields=["lock"], condition=Q(state="claimed"), name="one_claim_a_lock"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Fetched(models.Model):
    """One worklog as a run found it on the side `site`, and what became of it in that run.

    Of one that is `gone` the values are those last agreed; `gone_at` is when it was deleted, as far as is known.
    """

    class Outcome(models.TextChoices):
        PENDING = "", "not yet decided"
        CREATED = "created", "Created"
        UPDATED = "updated", "Updated"
        DELETED = "deleted", "Deleted"
        LINKED = "linked", "Linked"
        UNCHANGED = "unchanged", "Unchanged"
        SKIPPED = "skipped", "Skipped"
        PARKED = "parked", "Parked"
        FAILED = "failed", "Failed"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="fetched")
    site = models.CharField(max_length=100, blank=True)
    entry = models.CharField(max_length=100)
    work = models.CharField(max_length=100, blank=True)
    person = models.CharField(max_length=254, blank=True)
    account = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64)
    seconds = models.BigIntegerField(default=0)
    values = models.JSONField()
    gone = models.BooleanField(default=False)
    gone_at = models.DateTimeField(null=True)
    mapped = models.BooleanField(default=False)
    issue = models.CharField(max_length=40, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True, default=Outcome.PENDING)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["run", "outcome"]),
            models.Index(fields=["run", "mapped", "work"]),
            models.Index(fields=["run", "issue"]),
            models.Index(fields=["run", "person", "account", "seconds", "id"], name="fetched_by_person"),
        ]
        constraints = [models.UniqueConstraint(fields=["run", "site", "entry"], name="each_entry_once_a_run")]

    def __str__(self) -> str:
        return self.entry


class LinksRead(models.Model):
    """A page of the target's issues that a run has asked for their remote links: the issues found, by work item, and
    the token of the page after it, empty after the last of its query."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="links_read")
    query = models.TextField()
    following = models.TextField(blank=True)
    found = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "links read"

    def __str__(self) -> str:
        return f"{self.query}: {len(self.found)} work items"


class IssuePair(models.Model):
    """The same piece of work on both sides, held by immutable id; the key is for people.

    `left_backlog` and `right_backlog`: the issue's entries on that side were left alone before its counterpart was
    found, and are still to be read.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="issue_pairs")
    left = models.CharField(max_length=40)
    left_key = models.CharField(max_length=100, blank=True)
    right = models.CharField(max_length=40)
    right_key = models.CharField(max_length=100, blank=True)
    left_backlog = models.BooleanField(default=False)
    right_backlog = models.BooleanField(default=False)
    found_by = models.CharField(max_length=200)
    seen_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["connection", "right"], name="pair_by_right")]
        constraints = [models.UniqueConstraint(fields=["connection", "left", "right"], name="each_pair_once")]

    def __str__(self) -> str:
        return f"{self.left} = {self.right_key or self.right}"


class OutOfScope(models.Model):
    """An issue of one side of a sync that has no counterpart on the other: its entries as far as runs have seen them.

    `misses` is how often a counterpart was looked for, `look_after` when it is looked for again by itself.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="out_of_scope")
    side = models.CharField(max_length=5)
    issue = models.CharField(max_length=40)
    key = models.CharField(max_length=100, blank=True)
    entries = models.PositiveIntegerField(default=0)
    seconds = models.BigIntegerField(default=0)
    misses = models.PositiveIntegerField(default=0)
    look_after = models.DateTimeField()
    seen_by = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "issues out of scope"
        indexes = [models.Index(fields=["connection", "look_after"], name="scope_by_look_after")]
        constraints = [
            models.UniqueConstraint(fields=["connection", "side", "issue"], name="out_of_scope_once")
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.key or self.issue}"


class Cursor(models.Model):
    """Up to which moment of its vendor's clock a side's feed has been worked off. Null: never yet."""

    class Feed(models.TextChoices):
        CHANGED = "changed", "changed worklogs"
        DELETED = "deleted", "deleted worklogs"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="cursors")
    side = models.CharField(max_length=5)
    feed = models.CharField(max_length=10, choices=Feed.choices)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "side", "feed"], name="one_cursor_a_feed")
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.feed} {self.at:%Y-%m-%d %H:%M:%S}"


class Verdict(models.Model):
    """What a person decided about one parked entry; the next run goes by it, once."""

    class Choice(models.TextChoices):
        LEFT = "left", "The left side is right"
        RIGHT = "right", "The right side is right"
        LINK = "link", "They are the same entry"
        CREATE = "create", "They are two entries"
        DELETE = "delete", "Delete the other one too"
        KEEP = "keep", "Keep the other one"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="verdicts")
    site = models.CharField(max_length=100)
    entry = models.CharField(max_length=100)
    choice = models.CharField(max_length=10, choices=Choice.choices)
    by = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "site", "entry"], name="one_verdict_an_entry")
        ]

    def __str__(self) -> str:
        return f"{self.entry}: {self.choice}"


class TwinTrace(models.Model):
    """Two worklogs, one on each side, that are the same entry; `linked` where both were there before Twinlog.

    `agreed` holds what the right one's values were when last written or linked, as its own side stored them,
    `left_agreed` the left one's, of a sync (of a migration `source_digest` is enough); `unsettled` names the fields
    on which the two have not agreed yet. `stored_seconds` is the copy's: it counts for the hours proof. An `ended`
    one is kept the same no more: both are gone, or one was and the other stays by itself.
    """

    class Side(models.TextChoices):
        LEFT = "left", "left"
        RIGHT = "right", "right"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="traces")
    left_id = models.CharField(max_length=100)
    left_site = models.CharField(max_length=100, blank=True)
    left_issue = models.CharField(max_length=40, blank=True)
    right_id = models.CharField(max_length=100)
    right_site = models.CharField(max_length=100)
    right_issue = models.CharField(max_length=40)
    origin = models.CharField(max_length=5, choices=Side.choices)
    left_seen_by = models.BigIntegerField(default=0, help_text="the last full run that met the left one")
    right_seen_by = models.BigIntegerField(default=0, help_text="the last full run that met the right one")
    linked = models.BooleanField(default=False)
    ended = models.BooleanField(default=False)
    source_digest = models.CharField(max_length=64, blank=True)
    left_agreed = models.JSONField(null=True)
    agreed = models.JSONField()
    unsettled = models.JSONField(default=list)
    agreed_digest = models.CharField(max_length=64)
    stored_seconds = models.BigIntegerField()
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="traces")
    agreed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["right_site", "right_id"]),
            models.Index(fields=["left_site", "left_id"], name="trace_by_left"),
            models.Index(fields=["connection", "stored_seconds"], name="trace_sums"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["connection", "left_id"], name="left_has_one_twin"),
            models.UniqueConstraint(fields=["connection", "right_id"], name="right_has_one_twin"),
        ]

    def __str__(self) -> str:
        return f"{self.left_id} = {self.right_id}"


class Leftover(models.Model):
    """A copy that a move left behind: the new one stands on another issue, this one is still to be deleted.

    `entry` is the worklog of the side `site` that was moved, `source` its values, `values` the old copy as it stood.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="leftovers")
    site = models.CharField(max_length=100, blank=True)
    entry = models.CharField(max_length=100)
    source = models.JSONField(default=dict)
    copy = models.CharField(max_length=100)
    issue = models.CharField(max_length=40)
    values = models.JSONField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["connection", "entry"])]
        constraints = [models.UniqueConstraint(fields=["connection", "copy"], name="each_leftover_once")]

    def __str__(self) -> str:
        return f"{self.copy} of {self.entry}"


class RunHours(models.Model):
    """Working time of a connection as its records had it when a run ended: the terms of the hours proof, and sums by
    person, issue and month, each a list of rows `{"name", "detail", "entries", "seconds", "carried_seconds"}`.
    """

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="hours")
    counted_at = models.DateTimeField()
    source_seconds = models.BigIntegerField()
    target_seconds = models.BigIntegerField()
    skipped_seconds = models.BigIntegerField()
    failed_seconds = models.BigIntegerField()
    parked_seconds = models.BigIntegerField()
    rounding_seconds = models.BigIntegerField()
    by_person = models.JSONField(default=list)
    by_issue = models.JSONField(default=list)
    by_month = models.JSONField(default=list)
    issues = models.PositiveIntegerField(
        default=0, help_text="how many there are; by_issue holds the largest"
    )

    class Meta:
        verbose_name_plural = "run hours"

    def __str__(self) -> str:
        return f"hours at the end of run {self.run_id}"


class CarriedHour(models.Model):
    """Working time that a connection wrote to its target within one hour (UTC), in seconds: of new copies, and of
    copies that were brought up to date. Kept when writes are settled, so that nobody has to count millions of rows.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="carried_hours")
    hour = models.DateTimeField()
    created_seconds = models.BigIntegerField(default=0)
    updated_seconds = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["hour"]
        indexes = [models.Index(fields=["hour"])]
        constraints = [models.UniqueConstraint(fields=["connection", "hour"], name="each_hour_once")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.created_seconds + self.updated_seconds} s"


class Entry(models.Model):
    """How one worklog of the source stands in a connection, over all its runs.

    Seconds: `seconds` is the source's, `planned_seconds` what was to be written after rounding. `cause` is what a
    failure stood on (entry, issue, author, options): once it changes, the entry is tried again. `is_copy` is an edit
    of a copy on its way back to where the entry began: its hours count there.
    """

    class Standing(models.TextChoices):
        WRITTEN = "written", "Written"
        LINKED = "linked", "Linked"
        SKIPPED = "skipped", "Skipped"
        PARKED = "parked", "Parked"
        FAILED = "failed", "Failed"
        DELETED = "deleted", "Deleted"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="entries")
    site = models.CharField(max_length=100)
    entry = models.CharField(max_length=100)
    work = models.CharField(max_length=100, blank=True)
    issue = models.CharField(max_length=40, blank=True)
    issue_key = models.CharField(max_length=100, blank=True)
    issue_state = models.CharField(max_length=100, blank=True)
    person_name = models.CharField(max_length=200, blank=True)
    person_email = models.CharField(max_length=254, blank=True)
    day = models.DateField(null=True)
    start = models.TimeField(null=True)
    seconds = models.BigIntegerField()
    planned_seconds = models.BigIntegerField(null=True)
    digest = models.CharField(max_length=64)
    values = models.JSONField()
    standing = models.CharField(max_length=10, choices=Standing.choices)
    is_copy = models.BooleanField(default=False)
    kind = models.CharField(max_length=10, blank=True)
    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    hint = models.TextField(blank=True)
    cause = models.CharField(max_length=64, blank=True)
    tried_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="settled")
    seen_by = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="seen")
    # What people call its issues on both sides, once a page has looked that up.
    work_key = ""
    issue_name = ""

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["connection", "standing", "code", "seconds"], name="entry_sums"),
            models.Index(fields=["connection", "seen_by", "standing"]),
            models.Index(fields=["standing", "-id"], name="entry_by_standing"),
            models.Index(fields=["connection", "standing", "-id"], name="entry_by_connection"),
            models.Index(fields=["code", "-id"], name="entry_by_code"),
            models.Index(fields=["day", "-id"], name="entry_by_day"),
            models.Index(fields=["work", "-id"], name="entry_by_work"),
            models.Index(fields=["person_name", "-id"], name="entry_by_name"),
            models.Index(fields=["person_email", "-id"], name="entry_by_email"),
            models.Index(fields=["issue_key", "-id"], name="entry_by_issue", opclasses=[PREFIX, BIGINT]),
            models.Index(fields=["entry"], name="entry_by_entry", opclasses=[PREFIX]),
        ]
        constraints = [
            models.UniqueConstraint(fields=["connection", "site", "entry"], name="each_entry_once")
        ]

    def __str__(self) -> str:
        return self.entry


class AuditEntry(models.Model):
    """What one run did, or refused to do, to one worklog. Never edited once it is settled.

    It copies the names it speaks of and outlives what it describes. `source` is the worklog as its origin had
    it, `before` and `after` the copy: as it stood, and as it was to stand or, once written, was stored. A row in
    `writing` that nobody works on is a write whose outcome is unknown: it is looked for before anything else.
    """

    class Action(models.TextChoices):
        CREATE = "create", "Create"
        UPDATE = "update", "Update"
        DELETE = "delete", "Delete"
        LINK = "link", "Link"
        SKIP = "skip", "Skip"
        PARK = "park", "Park"
        REFUSE = "refuse", "Refuse"

    class Outcome(models.TextChoices):
        WRITING = "writing", "Being written"
        WRITTEN = "written", "Written"
        NOT_WRITTEN = "not_written", "Looked for and not found"
        LINKED = "linked", "Linked"
        SKIPPED = "skipped", "Skipped"
        PARKED = "parked", "Parked"
        FAILED = "failed", "Failed"
        PLANNED = "planned", "Planned"

    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="audit"
    )
    connection = models.CharField(max_length=100)
    at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    look_until = models.DateTimeField(null=True)
    site = models.CharField(max_length=100)
    entry = models.CharField(max_length=100)
    target_site = models.CharField(max_length=100)
    twin = models.CharField(max_length=100, blank=True)
    work = models.CharField(max_length=100, blank=True)
    issue = models.CharField(max_length=40, blank=True)
    issue_key = models.CharField(max_length=100, blank=True)
    person_name = models.CharField(max_length=200, blank=True)
    person_email = models.CharField(max_length=254, blank=True)
    day = models.DateField(null=True)
    start = models.TimeField(null=True)
    seconds = models.BigIntegerField(default=0)
    action = models.CharField(max_length=10, choices=Action.choices)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    hint = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    source = models.JSONField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    exchange = models.JSONField(null=True)
    # What people call its issues on both sides, once a page has looked that up.
    work_key = ""
    issue_name = ""

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["run", "-id"], name="audit_by_run"),
            models.Index(fields=["run", "outcome", "-id"], name="audit_by_run_and_outcome"),
            models.Index(fields=["run", "outcome", "action", "-id"], name="audit_by_run_outcome"),
            models.Index(fields=["connection", "-id"], name="audit_by_connection"),
            models.Index(fields=["outcome", "-id"], name="audit_by_outcome_alone"),
            models.Index(fields=["outcome", "action", "-id"], name="audit_by_outcome"),
            models.Index(fields=["code", "-id"], name="audit_by_code"),
            models.Index(fields=["day", "-id"], name="audit_by_day"),
            models.Index(fields=["work", "-id"], name="audit_by_work"),
            models.Index(fields=["person_name", "-id"], name="audit_by_name"),
            models.Index(fields=["person_email", "-id"], name="audit_by_email"),
            models.Index(fields=["issue_key", "-id"], name="audit_by_issue", opclasses=[PREFIX, BIGINT]),
            models.Index(
                fields=["entry", "connection", "-id"],
                name="audit_by_entry",
                opclasses=[PREFIX, "varchar_ops", BIGINT],
            ),
            models.Index(
                fields=["connection", "issue"], condition=Q(outcome="writing"), name="audit_unsettled"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.entry}: {self.outcome}"

    @property
    def when(self) -> datetime:
        """When it was settled; of what is not yet, or was only planned, when it was put down."""
        return self.settled_at or self.at

    @property
    def became(self) -> str:
        """The outcome in one word: of what was written, which kind of write it was."""
        made = {
            self.Action.CREATE: "created",
            self.Action.UPDATE: "updated",
            self.Action.DELETE: "deleted",
        }
        written = self.outcome == self.Outcome.WRITTEN
        return made.get(self.Action(self.action), self.outcome) if written else self.outcome

    @property
    def source_worklog(self) -> Worklog:
        return Worklog.from_json(self.source or {})

    @property
    def intended(self) -> Worklog:
        """The copy as it was to stand; once the row is settled, as it was stored."""
        return Worklog.from_json(self.after or {})


class NextRun(models.Model):
    """When a connection with a schedule runs next. It speaks only while `expression` is what the connection says.

    `next_at` is empty where there is no such time, or while the connection is paused. `missed_at` is a time that
    passed without a run, the first of several: one run makes up for all. `refusal` says why the last time that came
    could not be kept, empty once a run was begun.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="next_run")
    expression = models.CharField(max_length=200)
    next_at = models.DateTimeField(null=True)
    missed_at = models.DateTimeField(null=True)
    last_started_at = models.DateTimeField(null=True)
    refusal = models.TextField(blank=True)

    class Meta:
        ordering = ["next_at"]

    def __str__(self) -> str:
        return f"{self.connection_id}: {self.expression}"

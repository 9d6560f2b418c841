"""Free texts that are not sealed, each with the reason why; and the fields that hold names, codes and hashes.

Whoever adds a text field to a command or an event marks it `Personal` or names it here. A test sees to it. What all
of these have in common: they speak of the work, and people are asked to keep it so; `tandem privacy scan` looks for
what got in nevertheless. Why which: docs/explanation/privacy.md.
"""

from collections.abc import Mapping

SIGNED = "content that is signed: its hash stands in the log for ever and would betray a short text; it is of the work"
OFFICE = "an act in office: why it was decided must stay readable as long as the decision counts"
WORK = "a record of the work, its evidence and its lessons, which others build on"
MADE = "made by the rules out of codes, figures and names of things"
REPORTED = (
    "shown in every report while it lasts, as the rules ask (R3); the reason of the organisation, not of a person"
)

PROSE: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "DraftCharter.content",
            "CharterDrafted.content",
            "ProposeAgreement.content",
            "AgreementProposed.content",
            "AgreementCountered.content",
            "AgreementCountered.changed",
            "ProposePlan.content",
            "PlanProposed.content",
            "PlanBaselined.content",
            "ProposeClosing",
            "ClosingProposed",
            "ProposeCompletion",
            "ProposeAcceptance",
            "SubmitChange",
            "ChangeSubmitted",
            "DecisionOpened.title",
            "DecisionOpened.subject",
            "StartProject",
            "ProjectStarted.title",
            "ProjectStarted.purpose",
            "ProjectStarted.policy",
        ),
        SIGNED,
    ),
    **dict.fromkeys(
        (
            "VoteCast.reason",
            "VoteChanged.reason",
            "DecisionApproved.reason",
            "DecisionRejected.reason",
            "DecisionReturned.reason",
            "DecisionRevoked.reason",
            "DecisionWithdrawn.reason",
            "DecisionSuperseded.reason",
            "SendBack.reason",
            "RevokeDecision.reason",
            "WithdrawDecision.reason",
            "ExtendDeadline.reason",
            "DeadlineExtended.reason",
            "DeferChange.reason",
            "ChangeDeferred.reason",
            "WithdrawChange.reason",
            "ChangeWithdrawn.reason",
            "ChangeRejected.reason",
            "HoldProject.reason",
            "ProjectHeld.reason",
            "ChangeVisibility.reason",
            "VisibilityChanged.reason",
            "ProposeCancellation.reason",
            "ProposeRecycle.reason",
            "Consult.question",
            "ConsultAsked.question",
            "AnswerConsult.answer",
            "ConsultAnswered.answer",
            "InfoRequested.question",
            "AnswerInfo.answer",
            "InfoProvided.answer",
        ),
        OFFICE,
    ),
    **dict.fromkeys(
        (
            "AssessPlanImpact.impact",
            "PlanImpactAssessed.impact",
            "AssessProductImpact.impact",
            "ProductImpactAssessed.impact",
            "HoldCheckIn.outcomes",
            "CheckInHeld.outcomes",
            "ReachMilestone.evidence",
            "MilestoneReached.evidence",
            "RecordMeasurement",
            "KpiMeasured.source",
            "KpiMeasured.evidence",
            "KpiMeasured.reason",
            "CaptureLesson",
            "LessonCaptured.text",
            "LessonCaptured.evidence",
        ),
        WORK,
    ),
    **dict.fromkeys(
        (
            "AgreementAmended.targets",
            "ChangeApplied.reason",
            "ChangeBecameStale.reason",
            "ChangeDropped.reason",
            "ChangeReopened.reason",
            "DecisionEffectFailed.reason",
            "DecisionSuperseded.changed",
            "DecisionReturned.target",
            "SubjectAnnotated.changed",
            "EvaluationsRevealed.differing",
            "PlanBaselined.source",
            "ChangeDecisionOpened.row",
            "PackRecorded.file",
        ),
        MADE,
    ),
    **dict.fromkeys(("GrantSoloException.reason", "SoloExceptionGranted.reason"), REPORTED),
}
"""A field, or a whole class, and why its texts are left in clear. What is below a named one goes with it."""

REFERENCES = frozenset(
    (
        "absent",
        "added_by",
        "attendees",
        "authority_row",
        "authors",
        "beneficiaries",
        "by",
        "cast_by",
        "change",
        "check_in",
        "clocks",
        "code",
        "content_hash",
        "corrects",
        "decision",
        "delegate",
        "delegation",
        "delegator",
        "digest",
        "duplicate_of",
        "grant",
        "id",
        "kpi",
        "kpis",
        "last_editor",
        "lesson",
        "mark",
        "measurement",
        "milestone",
        "name",
        "owner",
        "people",
        "person",
        "persons",
        "ref",
        "requester",
        "rule",
        "slot",
        "slots",
        "stream",
    )
)
"""Fields by whose name it is clear that they hold a person's id, the id of a thing, a code or a hash."""


def excused(path: str) -> bool:
    """Whether the text at this place, `Class.field.field`, is known not to be sealed."""
    parts = path.split(".")
    named = any(".".join(parts[:length]) in PROSE for length in range(1, len(parts) + 1))
    return named or parts[-1] in REFERENCES

"""Resources that the lab records but does not emulate.

They appear in the stack, are checked for unknown properties and answer Ref and Fn::GetAtt, but no
call is made for them: nothing the service does depends on what they would do. RECORDED_ONLY is the
whole list; a type that is neither here nor in the registry is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from autorepair_lab.deploy.resources.base import ALL, Made, Properties, ResourceType, Work


@dataclass(frozen=True)
class Recorded:
    """A recorded type: why, its properties, which of them names it, how its ARN is formed."""

    why: str
    properties: frozenset[str]
    named_by: str | None = None
    arn: tuple[str, str] | None = None  # service, and the rest with {} for the physical id


RECORDED_ONLY: dict[str, Recorded] = {
    "AWS::Budgets::Budget": Recorded(
        "money is not spent in the lab",
        frozenset({"Budget", "NotificationsWithSubscribers", "ResourceTags"}),
    ),
    "AWS::Logs::QueryDefinition": Recorded(
        "a saved query, run by people in the console",
        frozenset({"LogGroupNames", "Name", "Parameters", "QueryLanguage", "QueryString"}),
    ),
    "AWS::Backup::BackupVault": Recorded(
        "there is nothing in the lab to restore from",
        frozenset(
            {
                "AccessPolicy",
                "BackupVaultName",
                "BackupVaultTags",
                "EncryptionKeyArn",
                "LockConfiguration",
            }
        ),
        "BackupVaultName",
        ("backup", "backup-vault:{}"),
    ),
    "AWS::Backup::BackupPlan": Recorded(
        "there is nothing in the lab to restore from",
        frozenset({"BackupPlan", "BackupPlanTags"}),
        arn=("backup", "backup-plan:{}"),
    ),
    "AWS::Backup::BackupSelection": Recorded(
        "there is nothing in the lab to restore from",
        frozenset({"BackupPlanId", "BackupSelection"}),
    ),
    "AWS::CloudFormation::WaitConditionHandle": Recorded("a placeholder", frozenset()),
}


class RecordedType(ResourceType):
    """One entry of RECORDED_ONLY."""

    mutable = ALL

    def __init__(self, name: str, recorded: Recorded) -> None:
        self.type = name  # type: ignore[misc] # one class serves a table of types
        self.properties = recorded.properties  # type: ignore[misc] # as above
        self.named_by = recorded.named_by  # type: ignore[misc] # as above
        self._arn = recorded.arn

    def create(self, work: Work) -> Made:
        """Record the resource under its name."""
        name = work.name(self.named_by or "Id", 128)
        if self._arn is None:
            return Made(name)
        service, rest = self._arn
        arn = work.aws.arn(service, rest.format(name))
        return Made(name, {"Arn": arn, "BackupVaultArn": arn, "BackupPlanArn": arn})

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - recorded
        """Nothing to change but the record."""
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Nothing to remove but the record."""


TYPES: tuple[ResourceType, ...] = tuple(
    RecordedType(name, recorded) for name, recorded in RECORDED_ONLY.items()
)

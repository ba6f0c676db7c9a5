"""AWS::IAM resources."""

from __future__ import annotations

from typing import Any

from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    tag_changes,
    tag_list,
)


def _attached(properties: Properties) -> set[str]:
    return {str(arn) for arn in properties.get("ManagedPolicyArns") or []}


def _inline(properties: Properties) -> dict[str, Any]:
    policies = properties.get("Policies") or []
    return {str(policy["PolicyName"]): policy["PolicyDocument"] for policy in policies}


class Role(ResourceType):
    """AWS::IAM::Role; Ref gives its name."""

    type = "AWS::IAM::Role"
    properties = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    mutable = properties - {"Path", "RoleName", "PermissionsBoundary"}
    named_by = "RoleName"
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the role with its policies."""
        name = work.name("RoleName")
        role = work.aws.call(
            "iam",
            "CreateRole",
            RoleName=name,
            Tags=tag_list(work.get("Tags")),
            **work.pick(
                "AssumeRolePolicyDocument",
                "Description",
                "MaxSessionDuration",
                "Path",
                "PermissionsBoundary",
            ),
        )["Role"]
        made = work.adopt(name, Arn=role["Arn"], RoleId=role["RoleId"])
        self._grant(work, name, {})
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change trust, policies and tags."""
        name, after = made.physical_id, work.properties
        if before["AssumeRolePolicyDocument"] != after["AssumeRolePolicyDocument"]:
            work.aws.call(
                "iam",
                "UpdateAssumeRolePolicy",
                RoleName=name,
                PolicyDocument=after["AssumeRolePolicyDocument"],
            )
        if any(before.get(key) != after.get(key) for key in ("Description", "MaxSessionDuration")):
            work.aws.call(
                "iam", "UpdateRole", RoleName=name, **work.pick("Description", "MaxSessionDuration")
            )
        self._grant(work, name, before)
        wanted, gone = tag_changes(before.get("Tags"), after.get("Tags"))
        if wanted:
            work.aws.call("iam", "TagRole", RoleName=name, Tags=tag_list(wanted))
        if gone:
            work.aws.call("iam", "UntagRole", RoleName=name, TagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Detach and delete everything, then the role."""
        name = made.physical_id
        for arn in _attached(work.properties):
            work.aws.remove("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        for policy in _inline(work.properties):
            work.aws.remove("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)
        work.aws.remove("iam", "DeleteRole", RoleName=name)

    @staticmethod
    def _grant(work: Work, name: str, before: Properties) -> None:
        for arn in sorted(_attached(work.properties) - _attached(before)):
            work.aws.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
        for arn in sorted(_attached(before) - _attached(work.properties)):
            work.aws.remove("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        old, new = _inline(before), _inline(work.properties)
        for policy, document in new.items():
            if old.get(policy) != document:
                work.aws.call(
                    "iam",
                    "PutRolePolicy",
                    RoleName=name,
                    PolicyName=policy,
                    PolicyDocument=document,
                )
        for policy in sorted(set(old) - set(new)):
            work.aws.remove("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)


class Policy(ResourceType):
    """AWS::IAM::Policy: one document put into roles."""

    type = "AWS::IAM::Policy"
    properties = frozenset({"PolicyDocument", "PolicyName", "Roles"})
    mutable = frozenset({"PolicyDocument", "Roles"})

    def create(self, work: Work) -> Made:
        """Put the document into each role."""
        for role in work.require("Roles"):
            work.aws.call(
                "iam",
                "PutRolePolicy",
                RoleName=role,
                **work.pick("PolicyDocument", "PolicyName"),
            )
        return Made(work.name("Id"))

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Put it again and take it out of the roles no longer named."""
        self.create(work)
        gone = set(before["Roles"]) - set(work.require("Roles"))
        self._remove(work, sorted(gone))
        return made

    def delete(self, work: Work, made: Made) -> None:  # noqa: ARG002 - named by its properties
        """Take the document out of each role."""
        self._remove(work, work.require("Roles"))

    @staticmethod
    def _remove(work: Work, roles: list[str]) -> None:
        for role in roles:
            work.aws.remove("iam", "DeleteRolePolicy", RoleName=role, **work.pick("PolicyName"))


class RolePolicy(ResourceType):
    """AWS::IAM::RolePolicy: one document put into one role."""

    type = "AWS::IAM::RolePolicy"
    properties = frozenset({"PolicyDocument", "PolicyName", "RoleName"})
    mutable = frozenset({"PolicyDocument"})

    def create(self, work: Work) -> Made:
        """Put the document into the role."""
        work.aws.call("iam", "PutRolePolicy", **work.properties)
        return Made(f"{work.require('PolicyName')}|{work.require('RoleName')}")

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Put it again."""
        return self.create(work)

    def delete(self, work: Work, made: Made) -> None:  # noqa: ARG002 - named by its properties
        """Take it out of the role."""
        work.aws.remove("iam", "DeleteRolePolicy", **work.pick("PolicyName", "RoleName"))


class ManagedPolicy(ResourceType):
    """AWS::IAM::ManagedPolicy; Ref gives its ARN."""

    type = "AWS::IAM::ManagedPolicy"
    properties = frozenset({"Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles"})
    mutable = frozenset({"PolicyDocument", "Roles"})
    named_by = "ManagedPolicyName"

    def create(self, work: Work) -> Made:
        """Create the policy and attach it."""
        arn = work.aws.call(
            "iam",
            "CreatePolicy",
            PolicyName=work.name("ManagedPolicyName"),
            **work.pick("Description", "Path", "PolicyDocument"),
        )["Policy"]["Arn"]
        made = work.adopt(arn, PolicyArn=arn)
        for role in work.get("Roles") or []:
            work.aws.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Make the changed document the default version, and attach to exactly the named roles."""
        arn = made.physical_id
        if before["PolicyDocument"] != work.require("PolicyDocument"):
            versions = work.aws.call("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]
            document = work.require("PolicyDocument")
            work.aws.call(
                "iam",
                "CreatePolicyVersion",
                PolicyArn=arn,
                PolicyDocument=document,
                SetAsDefault=True,
            )
            for version in versions:
                key = version["VersionId"]
                work.aws.remove("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=key)
        old, new = set(before.get("Roles") or []), set(work.get("Roles") or [])
        for role in sorted(new - old):
            work.aws.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
        for role in sorted(old - new):
            work.aws.remove("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Detach and delete the policy."""
        for role in work.get("Roles") or []:
            work.aws.remove("iam", "DetachRolePolicy", RoleName=role, PolicyArn=made.physical_id)
        work.aws.remove("iam", "DeletePolicy", PolicyArn=made.physical_id)


TYPES: tuple[ResourceType, ...] = (Role(), Policy(), RolePolicy(), ManagedPolicy())

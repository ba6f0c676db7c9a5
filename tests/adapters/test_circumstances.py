"""What stands around a function: its stacks, the key of its environment, its role, its variant."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import ACCOUNT, ARN, NOW, REGION, TARGET, Account, ScriptedLambda
from adapters.actions import actions_called
from autorepair.aws.environment_keys import KmsEnvironmentKeys
from autorepair.aws.releases import LambdaReleases
from autorepair.aws.roles import IamRoles
from autorepair.aws.stacks import CloudFormationStacks
from autorepair.domain.configuration import ProductVariant
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.evidence import Alias

STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop-Functions/1"
ROOT = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/2"
MADE = datetime(2026, 1, 1, tzinfo=NOW.tzinfo)


def told(stack_id: str, status: str, **members: object) -> dict[str, Any]:
    name = stack_id.split("/")[1]
    plain = {"StackId": stack_id, "StackName": name, "StackStatus": status, "CreationTime": MADE}
    return {"Stacks": [plain | members]}


class ScriptedStacks:
    """CloudFormation as botocore's Stubber: each call has to be the next one of the script."""

    def __init__(self, account: Account) -> None:
        self.account = account
        client: Any = account.clients._session.client("cloudformation")
        self.stubber = Stubber(client)
        self.stubber.activate()
        self.adapter = CloudFormationStacks(client)

    def describes(self, stack: str, answer: dict[str, Any]) -> ScriptedStacks:
        self.stubber.add_response("describe_stacks", answer, {"StackName": stack})
        return self

    def fails(self, code: str, message: str) -> ScriptedStacks:
        self.stubber.add_client_error("describe_stacks", code, message)
        return self

    def owning(self, **tags: str) -> list[tuple[str, bool, datetime | None]]:
        named = {f"aws:cloudformation:{k.replace('_', '-')}": v for k, v in tags.items()}
        tagged = self.account.configuration().model_copy(update={"tags": named})
        found = self.adapter.owning(tagged)
        self.stubber.assert_no_pending_responses()
        return [(one.name, one.is_in_progress, one.updated_at) for one in found]


@pytest.fixture
def stacks(account: Account) -> ScriptedStacks:
    return ScriptedStacks(account)


def test_a_function_that_no_stack_made_has_none(stacks: ScriptedStacks) -> None:
    assert stacks.owning() == []


def test_a_stack_is_asked_for_by_its_id_and_by_its_name_where_there_is_no_other(
    stacks: ScriptedStacks,
) -> None:
    answer = told(STACK, "UPDATE_COMPLETE", LastUpdatedTime=NOW, RootId=STACK)
    stacks.describes(STACK, answer)
    assert stacks.owning(stack_name="shop-Functions", stack_id=STACK) == [
        ("shop-Functions", False, NOW)
    ]
    stacks.describes("shop-Functions", answer)
    assert stacks.owning(stack_name="shop-Functions") == [("shop-Functions", False, NOW)]


def test_of_a_nested_stack_the_one_at_the_top_is_read_too(stacks: ScriptedStacks) -> None:
    stacks.describes(STACK, told(STACK, "CREATE_COMPLETE", ParentId=ROOT, RootId=ROOT))
    stacks.describes(ROOT, told(ROOT, "UPDATE_IN_PROGRESS", LastUpdatedTime=NOW))
    assert stacks.owning(stack_id=STACK) == [
        ("shop-Functions", False, None),
        ("shop", True, NOW),
    ]


def test_a_stack_that_is_gone_deploys_nothing(stacks: ScriptedStacks) -> None:
    stacks.fails("ValidationError", f"Stack with id {STACK} does not exist")
    assert stacks.owning(stack_id=STACK) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AccessDenied", AccessDeniedError), ("Throttling", TransientServiceError)],
)
def test_a_stack_that_cannot_be_read_is_not_taken_for_none(
    stacks: ScriptedStacks, code: str, expected: type[Exception]
) -> None:
    stacks.fails(code, "no")
    with pytest.raises(expected, match="cloudformation:DescribeStacks"):
        stacks.owning(stack_id=STACK)


def test_stacks_are_read_by_what_the_adapter_declares(account: Account) -> None:
    template = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    account.clients.cloudformation.create_stack(StackName="shop", TemplateBody=template)
    tags = {"aws:cloudformation:stack-name": "shop"}
    owned = account.configuration().model_copy(update={"tags": tags})
    adapter = CloudFormationStacks(account.clients.cloudformation)
    with actions_called(account) as called:
        (stack,) = adapter.owning(owned)
    assert stack.status == "CREATE_COMPLETE"
    assert called == CloudFormationStacks.permissions["owning"]


def make_key(account: Account, *tags: str) -> str:
    made = account.clients.kms.create_key(
        Tags=[{"TagKey": tag, "TagValue": "enabled"} for tag in tags]
    )
    return made["KeyMetadata"]["Arn"]


def test_a_key_tells_its_state_and_whether_it_is_enrolled(account: Account) -> None:
    keys = KmsEnvironmentKeys(account.clients.kms)
    enrolled, other = make_key(account, "auto-repair"), make_key(account, "team")
    account.clients.kms.disable_key(KeyId=other.rpartition("/")[2])
    with actions_called(account) as called:
        found = keys.read(enrolled)
    assert (found.arn, found.state, found.is_enrolled) == (enrolled, "Enabled", True)
    assert called == KmsEnvironmentKeys.permissions["read"]
    assert (keys.read(other).state, keys.read(other).is_enrolled) == ("Disabled", False)


def test_a_key_that_is_named_by_an_alias_is_looked_up(account: Account) -> None:
    arn = make_key(account, "auto-repair")
    account.clients.kms.create_alias(AliasName="alias/orders", TargetKeyId=arn)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/orders"
    found = KmsEnvironmentKeys(account.clients.kms).read(alias)
    assert (found.arn, found.is_enrolled) == (arn, True)


def test_a_key_that_cannot_be_read_says_why(account: Account) -> None:
    gone = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    found = KmsEnvironmentKeys(account.clients.kms).read(gone)
    assert found.trouble is not None
    assert "kms:DescribeKey" in found.trouble
    assert not found.is_enrolled


def make_role(account: Account, name: str, *services: str, path: str = "/") -> str:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": list(services)}}]}
    made = account.clients.iam.create_role(
        RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(trust)
    )
    return made["Role"]["Arn"]


def test_a_role_names_the_services_that_may_take_it_on(account: Account) -> None:
    services = {"lambda.amazonaws.com", "edgelambda.amazonaws.com"}
    arn = make_role(account, "edge", *services, path="/service/")
    with actions_called(account) as called:
        assert IamRoles(account.clients.iam).trusted_by(arn) == services
    assert called == IamRoles.permissions["trusted_by"]


def test_a_trust_policy_may_deny_and_may_name_accounts(account: Account) -> None:
    trust = {
        "Statement": [
            {"Effect": "Deny", "Principal": {"Service": "edgelambda.amazonaws.com"}},
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}},
        ]
    }
    made = account.clients.iam.create_role(
        RoleName="mixed", AssumeRolePolicyDocument=json.dumps(trust)
    )
    found = IamRoles(account.clients.iam).trusted_by(made["Role"]["Arn"])
    assert found == {"lambda.amazonaws.com"}


def test_a_role_that_is_gone_is_trusted_by_nobody(account: Account) -> None:
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    assert IamRoles(account.clients.iam).trusted_by(gone) == frozenset()


def test_aliases_are_listed_by_one_call(scripted: ScriptedLambda) -> None:
    alias = {"Name": "live", "FunctionVersion": "7"}
    divided = alias | {"RoutingConfig": {"AdditionalVersionWeights": {"8": 0.25}}}
    scripted.stubber.add_response("list_aliases", {"Aliases": [divided]}, {"FunctionName": ARN})

    found = LambdaReleases(scripted.client).aliases(TARGET)

    assert found == (Alias(name="live", version="7", also={"8": 0.25}),)
    scripted.ends()
    assert LambdaReleases.permissions["aliases"] == {"lambda:ListAliases"}


MANAGED = {
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:fleet"
    }
}


@pytest.mark.parametrize(
    ("members", "variants"),
    [
        ({}, ()),
        ({"CapacityProviderConfig": MANAGED}, (ProductVariant.MANAGED_INSTANCES,)),
        ({"DurableConfig": {"ExecutionTimeout": 3600}}, (ProductVariant.DURABLE,)),
        ({"AcceleratorConfig": {"AcceleratorMemorySize": 16}}, (ProductVariant.ACCELERATED,)),
        (
            {"MasterArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:viewer:7"},
            (ProductVariant.EDGE_REPLICA,),
        ),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, ()),
    ],
)
def test_a_variant_of_the_product_is_told_by_what_only_it_has(
    scripted: ScriptedLambda, members: dict[str, Any], variants: tuple[ProductVariant, ...]
) -> None:
    scripted.reads(**members).describes()

    read = scripted.functions.read(TARGET)

    assert read.variants == variants
    assert read.role_arn == f"arn:aws:iam::{ACCOUNT}:role/orders"

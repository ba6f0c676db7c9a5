"""Who may do what: permissions that are refused, and credentials that are no longer good."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.signs import (
    Proof,
    Sign,
    changes_of,
    find,
    is_declared_otherwise,
    sign,
)
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence

# Enough for a diagnosis, and too little to outrank a cause that knows the variable.
_MODEST = 0.55
# Variables that say whom the function talks to; a wrong one leads to somebody else's resource.
_RESOURCES = re.compile(
    r"(?:^|_)(?:UR[LI]S?|ARNS?|TABLE|BUCKET|QUEUE|TOPIC|STREAM|SECRET|PARAM(?:ETER)?|FUNCTION"
    r"|STATE_MACHINE|KEY|ROLE|ACCOUNT|REGION|ENDPOINT|HOST(?:NAME)?|CLUSTER|DATABASE|DB|MODEL"
    r"|INDEX|COLLECTION|BUS|DISTRIBUTION|PREFIX|PATH|PROFILE|TENANT|PROJECT)"
    r"(?:_(?:NAME|ARN|ID|URL|URI|PATH|PREFIX))?$|(?:ARN|URL|BUCKET|TABLE|QUEUE)$"
)
# Variables that say as whom it talks to them.
_CREDENTIALS = re.compile(
    r"(?:^|_)(?:KEY|KEYS|TOKEN|SECRET|PASS(?:WORD|WD|PHRASE)?|PWD|CREDENTIALS?|AUTH|API|APIKEY|USER"
    r"(?:NAME)?|LOGIN|ACCOUNT|CERT(?:IFICATE)?|PEM|JWT|DSN|UR[LI]|CONNECTION(?:_STRING)?|CLIENT"
    r"|DATABASE|DB|ARN|LICEN[SC]E|SID|REGION)(?:_|$)"
)
_EXPIRY = r"(?i:\bexpired?\b|token included in the request|signature|invalid_grant|revoked)"
_LIMITS = r"(?i:quota|rate ?limit|limit exceeded|throttl|too many requests)"

_DENIALS: tuple[Sign, ...] = (
    sign(
        "an action that the function's role may not take",
        0.93,
        r"(?:is )?not authorized to perform|with an explicit deny|UnauthorizedOperation",
        r"no (?:identity|resource|session)-based policy allows|no permissions boundary allows",
        r"AuthorizationError(?:Exception)?\b|Access to the resource \S{1,300} is denied",
        r"Insufficient Lake Formation permission|InsufficientRolePermissions",
        r"execution role does not have permissions|role defined for the function cannot be assumed",
        r"[Cc]ross-account (?:pass role|access) is not",
        unless=_EXPIRY,
    ),
    sign(
        "access that a service denies",
        0.91,
        r"(?<!\.file\.)\bAccess ?Denied(?:Exception|Error|Fault|_?EXCEPTION)?\b|ACCESS_DENIED",
        r"Access Denied|[Dd]on't have access to the model|not authorized to access",
        r"\(403\) when calling the |(?:Service|Status|http)[^\n]{0,20}[Ss]tatus ?Code[\"']?: ?403",
        r"StatusCode: ?403|statusCode[\"']?: ?403|\"?httpStatusCode\"?: ?403",
        unless=rf"{_EXPIRY}|{_LIMITS}|nio\.file|[Aa]ccess denied for user|using password",
    ),
    sign(
        "a key that may not be used",
        0.9,
        r"KMSAccessDenied|KMS access was denied|The ciphertext refers to a customer master key",
        r"KMS(?:Disabled|InvalidState|NotFound)|KMSKeyAccessDenied|DisabledKMSKey"
        r"|kms\.model\.\w{0,20}(?:Disabled|InvalidState)Exception|DisabledException: \S{0,200}:kms:"
        r"|KMSInvalidStateException|key/[\w-]{1,36} is (?:disabled|pending)",
    ),
    sign(
        "a right that a database or another server does not grant",
        0.9,
        r"permission denied for (?:table|relation|schema|sequence|database|function|view)",
        r"must be owner of (?:table|relation)|\b42501\b|ORA-01031|ORA-00942",
        r"command denied to user|[Aa]ccess denied for user '[^'\n]{0,100}'@'[^'\n]{0,100}' to data",
        r"not authorized on \S{1,100} to execute|\bNOPERM\b|permission was denied on the object",
        r"(?:Topic|Group|Cluster)AuthorizationException|TOPIC_AUTHORIZATION_FAILED",
        r"Not authorized to access (?:topics|group)|(?:TOPIC|GROUP)_AUTHORIZATION",
        r"no permissions for \[|security_exception|[Ii]nsufficient (?:permissions?|privileges?)",
        r"no pg_hba\.conf entry",
        unless=_EXPIRY,
    ),
    sign(
        "a permission that another service's account lacks",
        0.84,
        r"PERMISSION_DENIED|PermissionDenied\b|Permission '[\w.]{1,100}' denied",
        r"\bAuthorizationFailed\b",
        r"[Dd]oes not have (?:[\w.:]{1,60} )?(?:sufficient |the required |the necessary |enough )?"
        r"(?:permissions?|privileges?|access|authorization)\b",
        r"(?:lacks?|[Mm]issing|requires?) (?:the )?[^\n]{0,60}(?:permissions?|privileges?|scope)\b",
        r"Resource not accessible by integration|missing_scope|[Ii]nsufficient[ _](?:auth"
        r"entication )?scopes?|ACCESS_TOKEN_SCOPE_INSUFFICIENT|[Nn]ot permitted to ",
        unless=rf"{_EXPIRY}|{_LIMITS}|Errno 13|kind: PermissionDenied",
    ),
    sign(
        "a request that is forbidden (403)",
        0.74,
        r"\b403\b:? ?\(?[Ff]orbidden|Forbidden \(?403|403 Client Error",
        r"(?i:status(?: code)?:?|HTTP(?:/\d(?:\.\d)?)?(?: error)?|returned|responded with|got)"
        r" \(?403\b|\bForbiddenException\b",
        unless=rf"{_EXPIRY}|{_LIMITS}",
    ),
)

_STALE: tuple[Sign, ...] = (
    sign(
        "credentials that have expired",
        0.93,
        r"ExpiredToken(?:Exception)?\b|security token included in the request is expired",
        r"[Cc]redentials? (?:have|has|are|is|had) (?:already )?expired|[Ee]xpired credentials?",
        r"AADSTS(?:7000222|700082|50173|70008|500133)|client secret keys? [^\n]{0,80}expired",
        r"password (?:has |is )?expired|ORA-28001|AuthenticationExpired|CredentialsExpired",
        r"ExpiredProviderToken|[Pp]resigned URL [^\n]{0,40}expired|Request has expired",
        r"Error when retrieving token from sso|Token has expired and refresh failed",
    ),
    sign(
        "a password or user that a database or server no longer accepts",
        0.92,
        r"password authentication failed|PAM authentication failed|\b28P01\b|\b28000\b",
        r"[Aa]ccess denied for user '[^'\n]{0,100}'@'[^'\n]{0,100}' \(using password",
        r"Login failed for user|ORA-01017|ORA-28000|invalid username/password|WRONGPASS|\bNOAUTH\b",
        r"[Ii]ncorrect username or password|MongoServerError: (?:bad auth|Authentication failed)",
        r"bad auth ?: ?[Aa]uthentication failed|(?:SASL|SCRAM)[^\n]{0,80}(?:[Ff]ail|[Ii]nvalid)",
        r"SaslAuthenticationException|SASL_AUTHENTICATION_FAILED|role \"[^\"\n]{1,80}\" is not",
        r"535[ -]5?\.?7?\.?\d?[^\n]{0,40}(?:[Aa]uth|[Cc]redential)|SMTPAuthenticationError|EAUTH",
        r"[Ii]nvalid [Cc]redentials|AcceptSecurityContext error|InvalidCredentials",
        r"Permission denied \(publickey|All configured authentication methods failed",
        r"paramiko[\w.]{0,60}AuthenticationException|530 Login (?:incorrect|authentication)",
        r"530 Not logged in|[Aa]uth(?:entication)? fail(?:ed|ure)?\b",
    ),
    sign(
        "keys or signatures that AWS does not know any more",
        0.88,
        r"InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClientException|InvalidSignature",
        r"security token included in the request is invalid|SignatureDoesNotMatch",
        r"RequestExpired|Signature expired|does not exist in our records",
        r"AWS was not able to validate the provided access credentials|\bAuthFailure\b",
    ),
    sign(
        "a token or key that another service calls expired, revoked or invalid",
        0.88,
        r"invalid_grant|invalid_client\b|token_(?:expired|revoked)|account_inactive|invalid_auth\b",
        r"(?i:\b(?:access|refresh|bearer|api|auth\w{0,20}|oauth2?|session|service|id|security"
        r"|personal access|app|signing)[ _-]?(?:token|key|secret)[^\n]{0,40}\b(?:expired|revoked"
        r"|invalid|no longer valid|not valid|inactive|disabled|rotated))",
        r"(?i:\b(?:expired|revoked|invalid|incorrect|inactive|disabled|bad|unknown)[ _-](?:access"
        r"|refresh|bearer|api|auth\w{0,20}|oauth2?|session|client|service|personal access)"
        r"[ _-]?(?:token|key|secret|credentials?))",
        r"Bad credentials|Expired API|api_key_expired|API_KEY_INVALID|InvalidProviderToken"
        r"|BadDeviceCertificate",
        r"(?i:alert[: ]{1,3}certificate[ _]expired"
        r"|tls: expired certificate|client certificate[^\n]{0,60}expired)",
        r"(?i:licen[sc]e(?: key)?[^\n]{0,40} expired|subscription[^\n]{0,40} expired)",
        r"(?i:token (?:has |is |was |had )?(?:been )?(?:expired|revoked|invalid))",
        r"INVALID_SESSION_ID|[Ss]ession (?:has )?expired|[Uu]nable to authenticate user",
        r"Authenticat(?:e|ion) Error - |INVALID_LOGIN|AUTHENTICATION_FAILURE",
    ),
    sign(
        "a request that is not authenticated (401)",
        0.76,
        r"(?<![\d.])401\b:? ?\(?[Uu]nauthorized|401 Client Error|\bUNAUTHENTICATED\b",
        r"(?i:status(?: code)?:?|HTTP(?:/\d(?:\.\d)?)?(?: error)?|returned|responded with|got"
        r"|response code is) \(?401\b|[Ss]tatusCode[\"']?: ?401",
        r"\bUnauthorized(?:Exception|Error)?\b|[Aa]uthentication (?:is )?required",
        # What a Lambda authorizer throws for a caller without a good token.
        unless=r"(?:^|\n|: )Unauthorized(?:\r?\n|$)",
    ),
    sign(
        "tokens whose time is over",
        0.66,
        r"jwt expired|TokenExpired(?:Error|Exception)|ExpiredSignature(?:Error)?|ExpiredJwt",
        r"Unable to locate credentials|CredentialsProviderError|Could not load credentials",
    ),
)
_IAM = re.compile(
    r"(?i:RolePolicy|Policy(?:Version)?\b|PermissionsBoundary|KeyPolicy|BucketPolicy|QueueAttributes"
    r"|ScheduleKeyDeletion|DisableKey|Grant\b|\brole\b|AssumeRole|PutResourcePolicy|DataLake)"
)
_ROTATION = re.compile(
    r"(?i:rotat|PutSecretValue|UpdateSecret|AccessKey|ModifyDBCluster|ModifyDBInstance|password"
    r"|credential|certificate|token|DeleteSecret|PutParameter)"
)
_SOURCE_RENEWED = re.compile(
    r"PutSecretValue|RotateSecret|UpdateSecret|RotationSucceeded|PutParameter"
)
_COPY_IS_OLD = 0.82
_UNREADABLE = 0.88
_ROLE_TOO_WEAK = re.compile(
    r"InsufficientRolePermissions|KMSKey(?:AccessDenied|NotFound)|DisabledKMSKey|InvalidStateKMSKey"
    r"|does not have permissions? to|cannot be assumed|not authorized to perform"
)


def _diagnose_permission(evidence: Evidence) -> Finding | None:
    return _undecryptable(evidence) or _refused(evidence) or _denied(evidence)


def _refused(evidence: Evidence) -> Finding | None:
    """Lambda's own record says that the function's role, or its key, does not let it start."""
    reason = evidence.configuration.state_reason
    if evidence.configuration.state == "Active" or not _ROLE_TOO_WEAK.search(reason):
        return None
    return Finding(
        cause=RootCause.PERMISSION_DENIED,
        confidence=_UNREADABLE,
        why=f"Lambda's own record says what it may not do for the function: {reason[:300]}",
        cites=tuple(changes_of(evidence, ("role", "kms_key_arn"), _IAM)[-1:]),
        is_repairable=False,
    )


def _undecryptable(evidence: Evidence) -> Finding | None:
    """Lambda may not decrypt the environment, so that no invocation begins, and none can log."""
    if not evidence.configuration.is_env_unreadable:
        return None
    errors = evidence.metric("Errors", "Sum")
    is_failing = bool(evidence.failures) or (
        errors is not None and any(value > 0 for _, value in errors.points)
    )
    if not is_failing and evidence.alarm is None:
        return None
    changes = changes_of(evidence, ("kms_key_arn",), re.compile(r"(?i:kms|\bkey\b|grant)"))
    return Finding(
        cause=RootCause.PERMISSION_DENIED,
        confidence=_UNREADABLE if is_failing else 0.7,
        why=(
            "Lambda itself says that it may not decrypt the function's environment variables: the "
            "key's policy or grants have to be mended before anything may be written"
        ),
        cites=tuple(changes[-2:]),
        is_repairable=False,
    )


def _denied(evidence: Evidence) -> Finding | None:
    proof = find(evidence, _DENIALS)
    if proof is None:
        return None
    return _finding(
        RootCause.PERMISSION_DENIED,
        proof,
        _modest(proof.confidence, evidence, _RESOURCES),
        f"{proof.why(evidence)}: who grants it has to decide, no setting of the function does",
        changes_of(evidence, ("role", "kms_key_arn"), _IAM),
    )


def _diagnose_credentials(evidence: Evidence) -> Finding | None:
    proof = find(evidence, _STALE)
    if proof is None:
        return None
    finding = _finding(
        RootCause.CREDENTIALS_EXPIRED,
        proof,
        _modest(proof.confidence, evidence, _CREDENTIALS),
        f"{proof.why(evidence)}: they have to be renewed, or read again where they are kept",
        changes_of(evidence, (), _ROTATION),
    )
    need = _renewed(evidence) if proof.witness == "failures" else None
    if need is None:
        return finding
    return finding.model_copy(
        update={
            "need": need,
            "is_repairable": True,
            "confidence": min(finding.confidence, _COPY_IS_OLD),
            "why": (
                f"{proof.why(evidence)}, and the source that the operator declared for "
                f"{need.names[0]} was renewed shortly before: the function holds an old copy"
            ),
        }
    )


def _renewed(evidence: Evidence) -> EnvironmentNeed | None:
    """Give the one variable that holds a copy of a secret whose source was renewed before all this.

    None where several could be meant: which of them it is would be a guess.
    """
    first = min((i.started_at for i in evidence.failures), default=None)
    is_set = set(evidence.configuration.env_names)
    has_renewed = any(
        _SOURCE_RENEWED.search(change.event) and first is not None and change.at <= first
        for change in evidence.changes
    )
    copies = [
        variable.name
        for variable in evidence.declared
        if variable.kind in {"ssm", "secretsmanager"}
        and variable.name in is_set
        and variable.matches_current is not True
        and _CREDENTIALS.search(variable.name)
    ]
    is_told = has_renewed and len(copies) == 1 and not evidence.configuration.is_env_unreadable
    return EnvironmentNeed(names=tuple(copies)) if is_told else None


def _modest(confidence: float, evidence: Evidence, names: re.Pattern[str]) -> float:
    return min(confidence, _MODEST) if is_declared_otherwise(evidence, names) else confidence


def _finding(
    cause: RootCause, proof: Proof, confidence: float, why: str, changes: list[str]
) -> Finding:
    return Finding(
        cause=cause,
        confidence=confidence,
        why=why,
        cites=(*proof.cites, *changes[-1:]),
        is_repairable=False,
    )


PERMISSION_DENIED = Cause(
    label=RootCause.PERMISSION_DENIED,
    signal=(
        "Failures say that an action is not authorized, access is denied, a key may not be used, "
        "or a database grants no right; or Lambda may not decrypt the environment."
    ),
    proof=(
        "The service that decides says no, and names the action or the resource; it would be "
        "silent, slow or throttling if it were in trouble."
    ),
    silence=(
        "The credentials are stale rather than too weak, a quota is used up, it is a file that is "
        "refused, or a variable that names the resource is not as declared (a wrong address leads "
        "to somebody else's resource)."
    ),
    repair=None,
    runbook="permission-denied",
    diagnose=_diagnose_permission,
    explains=(RootCause.CODE_BUG, RootCause.INSUFFICIENT_EVIDENCE, RootCause.UNKNOWN),
)
CREDENTIALS_EXPIRED = Cause(
    label=RootCause.CREDENTIALS_EXPIRED,
    signal=(
        "Failures speak of an expired token, a password or key that is no longer accepted, a "
        "revoked grant, or a client certificate of ours that has run out."
    ),
    proof=(
        "The other side answers and refuses who we say we are, not what we ask for; what worked "
        "until a moment ago is refused for everybody from then on."
    ),
    silence=(
        "It is the partner's certificate that has expired, the right is missing rather than the "
        "identity, or a variable that holds a credential is not as declared."
    ),
    repair=RepairKind.SET_ENV,
    runbook="credentials-expired",
    diagnose=_diagnose_credentials,
    explains=(RootCause.PERMISSION_DENIED, RootCause.CODE_BUG, RootCause.UNKNOWN),
)

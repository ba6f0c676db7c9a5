"""What variables are called by what they hold, and what is heard when that does not work."""

from __future__ import annotations

import re
from dataclasses import dataclass

# No declaration can make these right: the value is not even an address, or a placeholder's.
_NO_URL = (
    r"(?i:could not parse (?:\w+ )?(?:rfc1738 )?url|invalid (?:\w+ ){0,2}(?:url|uri|dsn|port)"
    r"|(?:url|uri|dsn)[^\n]{0,40} (?:is )?(?:invalid|malformed|not valid)"
    r"|no (?:scheme|host) supplied|missing(?: url)? (?:scheme|protocol)|unknown url type"
    r"|unsupported (?:protocol|scheme)|invalid(?:schema| endpoint)|missingschema"
    r"|invalid connection (?:option|string)|port could not be cast"
    r"|can't load plugin: sqlalchemy|expected string or url object"
    r"|only absolute urls are supported|invalid scheme|connection string (?:is )?(?:invalid|not)"
    r"|format of the initialization string|must start with (?:one of )?[\"'`]?\w{2,20}:|bad uri"
    r"|relative url without a base|no such protocol|malformed (?:url|uri|connection)"
    r"|unexpected value for scheme|illegal character in (?:scheme|authority|opaque)"
    r"|missing \"?://|first path segment in url cannot contain colon)"
    r"|MalformedURLException|ERR_INVALID_URL|No connection adapters were found|UriFormatException"
    r"|URI::InvalidURIError|URISyntaxException|MongoParseError|InvalidUrlClientError"
    r"|\"localhost\"[^\n]{0,60}[Cc]onnection refused|[Cc]onnection refused[^\n]{0,40}localhost"
    r"|ECONNREFUSED (?:127\.0\.0\.1|::1)|(?:127\.0\.0\.1|\[::1\]):\d{1,5}: connect(?:ion)?[: ]"
    r"|localhost[:/][^\n]{0,60}[Cc]onnection refused|localhost[^\n]{0,40}(?:Errno 111|61\))"
    r"|Could not connect to the endpoint URL: \"https?://(?:localhost|127\.0\.0\.1)"
    r"|(?i:(?:ENOTFOUND|host(?: name)?|address|server at|resolve|lookup|endpoint|https?://|@)"
    r"[ :\"'/]{0,4}(?:placeholder|change[-_]?me|replace[-_]?me|your[-_][a-z-]{2,20}|dummy|todo)\b)"
)
_NO_SERVER = (
    r"getaddrinfo|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|[Cc]onnection refused|actively refused"
    r"|Name or service not known|could not translate host name|no such host|[Nn]ame resolution"
    r"|nodename nor servname|UnknownHost|NXDOMAIN|[Uu]nknown host|Temporary failure in name"
    r"|No such host is known|failed to lookup address|Could not connect to the endpoint URL"
    r"|HTTP Error 404|\b404\b[^\n]{0,40}[Nn]ot [Ff]ound|[Ss]tatus(?: code)?:? ?=?404"
    r"|404 Client Error"
    r"|ConnectTimeout|[Cc]onnect(?:ion)? timed? ?out|ETIMEDOUT|i/o timeout|ServerSelectionTimeout"
    r"|certificate (?:is )?not valid for|Hostname/IP does not match|ERR_TLS_CERT_ALTNAME"
    r"|doesn't match"
    r"|(?i:database \"[^\"\n]{1,60}\" does not exist|unknown database)"
)
_NO_NUMBER = (
    r"invalid literal for int\(\)|could not convert string to float|NumberFormatException"
    r"|strconv\.\w{1,20}: parsing|invalid value for (?:Integer|Float)\(\)"
    r"|is not a (?:valid )?(?:number|integer)|invalid digit found in string|ParseIntError"
    r"|Input string was not in a correct format|was not in a correct format|InvalidOperation"
    r"|ConversionSyntax|time: (?:invalid|missing unit in) duration|Invalid (?:interval|delay"
    r"|timeout)"
    r"|ERR_OUT_OF_RANGE|RangeError|must be (?:greater|less|larger|smaller|at least|at most|between"
    r"|positive|a positive|an integer|a number|>|<|>=|<=)|out of range|cannot parse '?[^\n]{0,40}as"
    r"|int_parsing|float_parsing|unable to parse string as an? (?:integer|number)|NaN\b"
    r"|mustn't be neg"
    r"|failed to convert (?:value|property)|Cannot deserialize value of type `?(?:int|long|java)"
)
_NO_RESOURCE = (
    r"ResourceNotFound|Requested resource not found|NoSuchBucket|NoSuchKey|bucket does not exist"
    r"|NonExistentQueue|QueueDoesNotExist|queue does not exist|ParameterNotFound|TopicNotFound"
    r"|StateMachineDoesNotExist|(?<![Ss])(?<!Module)(?<!File)NotFoundException"
    r"|NotFound: |NoSuchEntity|InvalidArn|SecretNotFound"
    r"|Invalid bucket name|model identifier is invalid|InvalidParameterException"
    r"|Invalid parameter: T"
    r"|relation \"[^\"\n]{1,100}\" does not exist|[Tt]able '?[^'\n]{1,100}'? (?:doesn't"
    r"|does not) exist"
    r"|(?:[Tt]able|[Bb]ucket|[Qq]ueue|[Tt]opic|[Ss]tream|[Ii]ndex|[Cc]ollection|[Cc]luster|[Mm]odel"
    r"|[Ff]unction|[Ss]ecret|[Pp]arameter)[^\n]{0,80}(?:not found|does not exist|doesn't exist)"
    r"|can't find the specified secret|[Nn]o such index|index_not_found|UnknownTopicOrPartition"
    r"|InvalidAddress|The address [^\n]{1,100} is not valid|model_not_found|no such (?:table|model)"
    r"|Cannot do operations on a non-existent|is not a valid (?:arn|ARN|table|bucket|model)"
    r"|PermanentRedirect|301 Moved|AuthorizationHeaderMalformed"
)
_DENIED = (
    r"AccessDenied|is not authorized to perform|not authorized to access|AuthorizationError"
    r"|Access ?Denied|403 Forbidden|Forbidden|[Ss]tatus(?: code)?:? ?403|AuthorizationException"
)
_NO_ENTRY = (
    r"(?i:\b401\b|unauthori[sz]ed|invalid[ _-]?(?:api[ _-]?key|token|credential|client"
    r"|access[ _]key"
    r"|signature|secret|password)|incorrect api key|authentication failed|authenticationerror"
    r"|password authentication failed|access denied for user|invalid_grant|bad credentials"
    r"|invalidclienttokenid|signaturedoesnotmatch|unrecognizedclient|jwt malformed|invalid_auth"
    r"|jsonwebtokenerror|invalid signature|wrongpass|noauth|login failed for user|bad decrypt"
    r"|no signatures? found matching|secret or public key must be|token is (?:invalid|malformed))"
)
_NO_CHOICE = (
    r"(?i:is not a valid (?:\w{1,30} ){0,3}(?:value|choice|option|enum|member|environment|stage"
    r"|mode)?"
    r"|invalid (?:choice|enum|option|mode|value|boolean|bool|environment|stage|truth value|locale)"
    r"|must be one of|expected one of|should be one of|no enum constant|unknown (?:mode|environment"
    r"|stage|provider|backend|strategy|driver|variant|enum|engine|feature|option|profile|codec)"
    r"|unsupported (?:mode|provider|backend|driver|value|engine|currency|locale|algorithm)"
    r"|unrecognized (?:value|option|mode)|not a valid boolean|bool_parsing|invalid_enum_value"
    r"|requested value '[^'\n]{1,60}' was not found|not a supported|invalid truth value"
    r"|no such (?:driver|provider|strategy|profile)|strconv\.parsebool"
    r"|provided string was not `true` or `false`)"
)
_NO_JSON = (
    r"JSONDecodeError|SyntaxError: [^\n]{0,80}JSON|Unexpected token|JsonParseException"
    r"|JsonException"
    r"|JSON::ParserError|invalid character '[^\n]{1,6}'|unexpected end of JSON input|JsonReader"
    r"|YAMLError|yaml: |ScannerError|expected value at line|toml|re\.error|PatternSyntaxException"
    r"|Invalid regular expression|error parsing regexp|unterminated|Incorrect padding|base64"
    r"|Invalid PEM|Could not deserialize key data|bad base64|DECODER routines|no start line"
)
_NO_FILE = (
    r"FileNotFoundError|No such file or directory|ENOENT|NoSuchFileException|FileNotFoundException"
    r"|cannot find the (?:file|path)|DirectoryNotFoundException|\(os error 2\)|Errno::ENOENT"
    r"|OSError: \[Errno 2\]|invalid path|not a directory|Read-only file system|EROFS"
)
_NO_START = (
    r"internal/preload|is not allowed in NODE_OPTIONS|node: bad option|Cannot find module|ENOENT"
    r"|/[\w./-]{1,200}: does not exist"
    r"|Unrecognized (?:VM )?option|Error opening zip file|Could not (?:find|create)|agent library"
    r"|No such file or directory|no such file|Permission denied|exec format error"
    r"|cannot open shared"
    r"|ImportModuleError|ModuleNotFoundError|ImportError|No module named|LoadError|cannot load such"
    r"|object file from LD_PRELOAD|invalid option|Runtime\.ExitError|Extension\.Crash|InvalidEntry"
    r"|Failed to (?:load|start)|exit status|Invalid (?:maximum|initial) heap|init_import_site"
    r"|wrapper|preload|symbol lookup error|undefined symbol|version `GLIBC|SyntaxError|hostfxr"
)
_NO_PROXY = (
    r"ProxyError|[Cc]annot connect to proxy|Tunnel connection failed|proxyconnect|tunneling socket"
    r"|[Pp]roxy (?:authentication|connection|server)|ERR_PROXY|407 Proxy|via proxy|:3128|:8080"
    r"|proxy"
)
_NO_LEVEL = (
    r"[Uu]nknown (?:log )?level|[Ii]nvalid (?:log(?:ging)? )?level"
    r"|not a valid (?:log(?:ging)? )?level"
    r"|[Ii]nvalid logging level|default level:|not a valid logrus Level|unrecognized level"
    r"|[Uu]nrecognized (?:log )?level|LevelFilter|log level must be|[Uu]nable to configure"
    r"|LogEventLevel"
)
_NO_ZONE = (
    r"ZoneInfoNotFound|UnknownTimeZone|[Uu]nknown time ?zone|[Ii]nvalid time ?zone"
    r"|ZoneRulesException"
    r"|TimeZoneNotFound|No time zone found|unknown locale|unsupported locale|Incorrect locale"
)
_TOO_SHORT = (
    r"timeout of \d{1,4} ?ms exceeded|(?<!connect )(?<!connection )timed out after \d{1,4} ?ms"
    r"|deadline exceeded"
)
_TOO_MUCH = r"[Tt]oo (?:large|many|big|small)|exceeds? (?:the )?(?:maximum|limit)"
_NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class ValueKind:
    """What a variable of some kind is called, and what is heard when its value does not work.

    ``surely`` is what no value that works would lead to; ``possibly`` what a right one might, so
    that it counts only where the value is known to differ, or was just changed. ``is_steady``
    where a value that has worked goes on working, so that only a new one can be wrong;
    ``needs_change`` where ``possibly`` is what any failed start says, so that it counts only where
    the value was just changed.
    """

    name: re.Pattern[str]
    surely: re.Pattern[str]
    possibly: re.Pattern[str]
    is_steady: bool = False
    needs_change: bool = False


def _kind(
    name: str,
    *,
    surely: str = _NEVER,
    possibly: str = _NEVER,
    is_steady: bool = False,
    needs_change: bool = False,
) -> ValueKind:
    words = (re.compile(name), re.compile(surely), re.compile(possibly))
    return ValueKind(*words, is_steady=is_steady, needs_change=needs_change)


_RESOURCE_NAME = (
    r"(?i)(?:^|_)(?:TABLE|INDEX|BUCKET|QUEUE|TOPIC|STREAM|SECRET|PARAM(?:ETER)?|FUNCTION|MODEL"
    r"|COLLECTION|CLUSTER|STATE_?MACHINE|KEY|BUS|POOL|GROUP|ROLE|DB|DATABASE|SCHEMA|KMS|DLQ|SNS"
    r"|SQS|S3|DYNAMO(?:DB)?|DISTRIBUTION|PROJECT|WORKFLOW|CONTAINER|DEPLOYMENT)"
    r"(?:_?(?:NAME|ARN|ID|URL|PATH|PREFIX))?$|_ARN$"
)
KINDS = (
    _kind(
        r"(?i)^(?!\w*_(?:PASSWORD|PASS|PWD|USER(?:NAME)?|KEY|TOKEN|SECRET|TIMEOUT|SIZE|MAX|MIN"
        r"|TABLE)$)"
        r"(?:\w*_)?(?:UR[LI]S?|DSN|ENDPOINTS?|HOST(?:NAME)?S?|ADDR(?:ESS)?|SERVERS?|BROKERS?|BASE"
        r"|DATABASE|DB|CONN(?:ECTION)?(?:_?STR(?:ING)?)?S?|CONNECTIONSTRINGS|REDIS|MONGO(?:DB)?"
        r"|POSTGRES|MYSQL|DOMAIN|ORIGIN|WEBHOOK|BOOTSTRAP)(?:_|$)",
        surely=_NO_URL,
        possibly=_NO_SERVER,
    ),
    _kind(
        r"(?:^|_)REGION(?:_|$)",
        surely=r"[Ii]nvalid region|InvalidRegion|not a valid region|is not a valid host label",
        possibly=r"Could not connect to the endpoint URL|[Ii]nvalid endpoint|UnknownEndpoint"
        rf"|ENOTFOUND|getaddrinfo|no such host|UnknownHost|No such host|{_NO_RESOURCE}",
    ),
    _kind(
        _RESOURCE_NAME,
        possibly=_NO_RESOURCE,
    ),
    _kind(
        _RESOURCE_NAME,
        possibly=_DENIED, is_steady=True,
    ),
    _kind(
        r"(?:^|_)(?:PORT|TIMEOUT|SECONDS?|SECS?|MS|MILLIS|MINUTES|HOURS|DAYS|SIZE|LIMIT|COUNT|MAX"
        r"|MIN"
        r"|TTL|RETRIES|ATTEMPTS|THREADS|WORKERS|BATCH|RATE|RATIO|THRESHOLD|PERCENT|ROUNDS|CHUNK"
        r"|PAGE"
        r"|CONCURRENCY|INTERVAL|FACTOR|CONFIDENCE|NUM|NUMBER|DELAY|QUALITY|WIDTH|HEIGHT|DEPTH"
        r"|MARGIN"
        r"|AMOUNT|FEE|PRICE|TAX|SCALE|EXPIRY|EXPIRATION|LENGTH|TEMPERATURE|TOKENS|SAMPLE"
        r"|WEIGHT)(?:_|$)",
        possibly=_NO_NUMBER, is_steady=True,
    ),
    _kind(
        r"(?:^|_)(?:TIMEOUT|DEADLINE)(?:_|$)",
        possibly=_TOO_SHORT, is_steady=True,
    ),
    _kind(
        r"(?:^|_)(?:BATCH|LIMIT|MAX|SIZE|CHUNK)(?:_|$)",
        possibly=_TOO_MUCH, is_steady=True,
    ),
    _kind(r"(?:^|_)(?:LEVEL|LOG|LOGLEVEL)$|LOG_LEVEL", surely=_NO_LEVEL, is_steady=True),
    _kind(
        r"(?i)(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASS|PWD|CREDENTIALS?|AUTH|SID|USER(?:NAME)?"
        r"|LOGIN"
        r"|CLIENT|ISSUER|AUDIENCE|JWKS|SALT|CERT|PEM)(?:_|$)|(?:^|_)(?:URL|DSN)$",
        possibly=f"{_NO_ENTRY}|Invalid PEM|no start line|DECODER routines",
    ),
    _kind(
        r"(?:^|_)(?:JSON|CONFIG|CONF|SETTINGS|RULES|MAPPING|MAP|FLAGS|FEATURES?|REGEX|PATTERN"
        r"|SCHEMA"
        r"|YAML|LIST|WEIGHTS|CREDENTIALS|SERVICE_ACCOUNT|PEM|PRIVATE_KEY|TEMPLATE|OPTIONS)(?:_|$)",
        possibly=_NO_JSON, is_steady=True,
    ),
    _kind(
        r"(?:^|_)(?:MODE|ENV|ENVIRONMENT|STAGE|PROVIDER|BACKEND|STRATEGY|DRIVER|TYPE|FORMAT|LANG"
        r"|LOCALE|CURRENCY|ENGINE|ALGORITHM|PROFILE|VERSION|ENABLED?|DISABLED?|DEBUG|FLAG|USE|IS"
        r"|FEATURE|STYLE|THEME|CODEC|COMPRESSION|CLASS|TIER|COUNTRY|LANGUAGE|UNIT)(?:_|$)|PROFILE",
        possibly=rf"{_NO_CHOICE}|config profile|ProfileNotFound|{_NO_JSON}", is_steady=True,
    ),
    _kind(r"(?:^|_)(?:TZ|TIMEZONE|TIME_ZONE|LOCALE|LANG|LC_ALL)$", surely=_NO_ZONE, is_steady=True),
    _kind(
        r"(?:^|_)(?:PATH|DIR(?:ECTORY)?|FILE|FOLDER|ROOT|HOME|CACHE|DATA|BUNDLE|CERTS?|CA|MODEL"
        r"|TEMPLATE|FONTS?|TMP|TMPDIR|LOCATION|BIN|BINARY)(?:_|$)",
        possibly=_NO_FILE, is_steady=True,
    ),
    _kind(r"(?i)^(?:HTTPS?|ALL|NO)_PROXY$", surely=r"(?!)", possibly=f"{_NO_PROXY}|{_NO_SERVER}"),
    _kind(
        r"^AWS_ENDPOINT_URL|^AWS_PROFILE$|^AWS_DEFAULT_PROFILE$|^AWS_CONFIG_FILE$|^AWS_CA_BUNDLE$",
        possibly=rf"{_NO_SERVER}|ProfileNotFound|config profile|{_NO_FILE}|CertificateError",
    ),
    _kind(
        r"^NODE_OPTIONS$",
        surely=r"internal/preload|is not allowed in NODE_OPTIONS|node: bad option",
          possibly=_NO_START, needs_change=True, is_steady=True),
    _kind(r"^JAVA_TOOL_OPTIONS$|^_JAVA_OPTIONS$|^JDK_JAVA_OPTIONS$",
          surely=r"Unrecognized (?:VM )?option|Error opening zip file or JAR manifest missing"
          r"|Could not find agent library|agent JAR not found|Invalid (?:maximum"
          r"|initial) heap size",
          possibly=_NO_START, needs_change=True, is_steady=True),
    _kind(
        r"^AWS_LAMBDA_EXEC_WRAPPER$",
        surely=r"/opt/[\w./-]{1,200}: (?:does not exist|No such file)|exec(?:ution)? ?wrapper",
        possibly=_NO_START,
        is_steady=True,
        needs_change=True,
    ),
    _kind(
        r"^LD_(?:PRELOAD|LIBRARY_PATH)$",
        surely=r"object file from LD_PRELOAD|LD_PRELOAD cannot be",
        possibly=_NO_START,
        is_steady=True,
        needs_change=True,
    ),
    _kind(
        r"^(?:PYTHON(?:PATH|HOME|STARTUP)|RUBY\w{2,10}|NODE_PATH|GEM_\w{4}|DOTNET_\w{4,40}"
        r"|CORECLR_\w{4,40}|BASH_ENV|PATH|PERL5LIB|BUNDLE_\w{3,20}|NODE_EXTRA_CA_CERTS|CLASSPATH)$",
        possibly=_NO_START,
        is_steady=True,
        needs_change=True,
    ),
)  # fmt: skip

UNUSABLE = re.compile("|".join((_NO_NUMBER, *(kind.surely.pattern for kind in KINDS))))
WRONG = re.compile(
    r"(?i:\b(?:in|mis)?(?:valid|correct|formed|formatted|parse[ds]?|parsing|configured)\b"
    r"|malformed|unparse?able|unsupported|unknown|unexpected|unrecogni[sz]ed|illegal"
    r"|not (?:a |an )?(?:valid|known|supported|allowed|recogni[sz]ed|number|integer|url)"
    r"|must be|should be|expected|empty|bad value|wrong|cannot|could not|does not|is not"
    r"|无效|错误|非法|不正确)"
)

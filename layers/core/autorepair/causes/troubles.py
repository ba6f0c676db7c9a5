"""What a line says of the service that a function called: one table, read in order.

The wordings are those of the AWS SDKs, the HTTP clients, the database drivers and the runtimes'
own socket errors, in all of Lambda's languages. What is more telling stands first: a server's
"too many connections" says more than the time-out that came of it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from autorepair.causes.witnesses import LONGEST, words_of
from autorepair.causes.wording import lowered, wording
from autorepair.domain.evidence import LogLine


class Trouble(StrEnum):
    """How another service failed the function."""

    EXHAUSTED = "exhausted"
    """It, or the pool before it, has no connection left."""
    THROTTLED = "throttled"
    """It answers, and says: too fast, or too much."""
    UNREACHABLE = "unreachable"
    """The network says that there is no way to it."""
    OVERDUE = "overdue"
    """It works on the request, for longer than it may."""
    REFUSED = "refused"
    """It refuses the connection, or answers with a failure of its own."""
    NO_ANSWER = "no_answer"
    """It took the request and does not answer within the client's patience."""
    CONNECT_TIMEOUT = "connect_timeout"
    """Nobody answers the attempt to connect."""
    NO_RESOLVER = "no_resolver"
    """Nobody answers the question for its address."""
    NAMELESS = "nameless"
    """Its name does not resolve, or no connection is made and the client does not say why."""
    FAILING = "failing"
    """It breaks off, or is said to be down."""


# The code's own fault, or the function's own answer to its caller: about nobody else.
_OWN = wording(
    r"\b(?:KeyError: |AttributeError: |NameError: |UnboundLocalError: )"
    r"|Cannot read propert|is not a function|is not iterable|NullPointerException\b"
    r"|NullReferenceException|undefined method|invalid memory address"
    r"|\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /[^\s\"]{0,300} HTTP/\d"
)
# It has run out of something of its own: its disk, its memory.
_FULL = wording(
    r"flood[ _-]?stage|disk usage exceeded|could not extend file|DiskFull\b|\b53100\b|\b53200\b"
    r"|\b1114\b[^\n]{0,30}table|table [^\n]{1,80} is full\b|ORA-01(?:65\d|688|691)\b"
    r"|OOM command not allowed|out of sort memory|KafkaStorageException|\bMISCONF redis"
    r"|(?:remote|server|broker)[^\n]{0,80}no space left|no space left[^\n]{0,40}\bbroker\b"
    r"|Errcode: 28\b|OutOfDiskSpace|out of shared memory|max_locks_per_transaction"
)
_EXHAUSTED = wording(
    # PostgreSQL, its poolers and proxies
    r"remaining connection slots|too many clients|no more connections allowed|max_client_conn"
    r"|too many connections|max(?:imum)? (?:number of )?client(?:s|s? connections)? reached"
    r"|max clients reached|MaxClientsInSessionMode|\b53300\b"
    r"|timed?[- ]out waiting to acquire (?:a )?database connection|query_wait_timeout"
    # MySQL, Oracle, SQL Server
    r"|max_user_connections|ER_CON_COUNT_ERROR|ER_TOO_MANY_USER_CONNECTIONS"
    r"|ORA-(?:12516|12518|12519|12520|00018|00020|02391)\b|exceeded simultaneous SESSIONS_PER_USER"
    r"|prior to obtaining a connection from the pool"
    # Redis, MongoDB, brokers, mail
    r"|max number of clients reached|too many open connections|connection limit (?:is )?(?:reached|"
    r"exceeded)|too many (?:concurrent|simultaneous) (?:\w{1,20} )?(?:connections|sessions|logins)"
    r"|WaitQueueTimeout|WaitQueueFull|while checking out a connection from"
    # pools within the function
    r"|connection pool (?:has been |is |was )?(?:exhausted|full|empty|timeout|timed out)"
    r"|(?:connection )?pool (?:is )?(?:exhausted|timed out)|PoolExhausted|JedisExhaustedPool"
    r"|could not (?:get|obtain|acquire) a (?:resource|connection) from the pool"
    r"|HikariPool-\d{1,4} - Connection is not available|Connection is not available, request timed"
    r"|QueuePool limit of size|PoolTimeout\b|couldn't get a connection after"
    r"|fetching a new connection from the connection pool|\bP20(?:24|37)\b"
    r"|timeout acquiring a connection|pool is probably full|ConnectionAcquireTimeout"
    r"|ResourceRequest timed out|Timeout waiting for (?:a )?(?:connection from pool|idle object)"
    r"|ConnectionPoolTimeoutException|Acquire operation took longer"
    r"|pool timed out while waiting for|occurred while waiting for a slot|Timed out in bb8"
    r"|Pool empty\. Unable to fetch a connection|attempt by a client to checkout a Connection"
    r"|Waited \d{1,6}(?:\.\d{1,6})? sec, \d{1,6}/\d{1,6} available"
    r"|waiting for (?:a )?(?:free|available|idle) (?:\w{1,20} )?connection"
    r"|No connection available within|(?:no|all) (?:free |pooled )?connections? (?:are |were )?"
    r"(?:in use|available|left in the pool|left)\b"
)
_THROTTLED = wording(
    r"throttl(?:ed|ing)\b|Throttling(?:Exception|Error)|ThrottledException|RequestThrottled"
    r"|too ?many ?requests|rate exceeded|rate[ _-]?limit[ _-]?(?:was |is |has been )?(?:exceed|"
    r"reach|hit|error|exception)|exceed(?:ed|s|ing) (?:\w{1,20} ){0,5}(?:rate|request|usage) limit"
    r"|rate[ -]limit(?:ed|ing)\b|(?:hit|over|by) (?:the |your |their |a )?(?:\w{1,20} )?rate limit"
    r"|exceeded \d{1,7} (?:calls|requests|queries) per (?:second|minute|hour|day)"
    r"|exceeded the rate at which|exceed(?:s|ed|ing)? (?:the |your |its )?(?:\w{1,20} ){0,3}"
    r"(?<!error )(?<!failure )rates? (?:for|of|at|allowed|permitted|limit)"
    r"|reduce the (?:frequency|rate|number) of (?:your |the )?(?:\w{1,20} )?(?:calls|requests)"
    r"|request rate is too (?:large|high)|PriorRequestNotComplete"
    r"|reduce (?:your )?request rates?"
    r"|RateLimit(?:ed|Error|Exceeded|Exception)|request rate is large"
    r"|(?:\b(?:status|code|statusCode|HTTP|error|got|returned|responded|answered)\b[^\n]{0,25}"
    r"|->|=>|<-|\[|\()[ ]?429\b|\b429 (?:Too|Client Error|\()"
    r"|ProvisionedThroughputExceeded|provisioned throughput (?:for the \w{1,20} )?was exceeded"
    r"|Throughput exceeds the current capacity|SlowDown\b|reduce your request rate|Slow Down"
    r"|RequestLimitExceeded|REQUEST_LIMIT_EXCEEDED|TooManyRequestsException|LimitExceededException"
    r"|(?<!disk )quota[ _]?exceeded|insufficient_quota"
    r"|exceeded (?:your |the )?(?:\w{1,20} ){0,3}quota"
    r"|quotaExceeded|(?:request|api|daily|usage|call) (?:limit|quota) (?:was |is |has been )?"
    r"(?:exceeded|reached)|Maximum sending rate exceeded|es_rejected_execution"
    r"|RESOURCE_EXHAUSTED(?![^\n]{0,40}larger than)|BandwidthLimitExceeded"
    r"|too many tokens|retry later|unprocessed ?items|限流|请求过于频繁|配额(?:已|不足|超)"
)
_UNREACHABLE = wording(
    r"ENETUNREACH|EHOSTUNREACH|ENETDOWN|EHOSTDOWN|network is (?:unreachable|down)|no route to host"
    r"|network unreachable|host (?:is )?unreachable|NoRouteToHostException"
    r"|EFSMount(?:Timeout|Connectivity|Failure)|could not (?:mount|connect to) the "
    r"(?:EFS|Amazon EFS) file system|mount\.nfs4?: Connection timed out"
    r"|ENILimitReached|EniLimitExceeded|SubnetIPAddressLimitReached|SubnetOutOfIPAddresses"
    r"|InvalidSubnet(?:ID)?\b|InvalidSecurityGroup(?:ID)?\b|EC2ThrottledException"
    r"|网络不可达|无法路由"
)
# It is up and says no for a reason, or it is the function that has run out of something.
_SAYS_NO = wording(
    r"not authorized|access ?denied|authentication failed|unauthori[sz]ed|\bforbidden\b"
    r"|invalid (?:api )?(?:key|token)|token (?:has |is )?expired|client certificate"
    r"|EMFILE|ENFILE|too many open files|no space left|ENOSPC|cannot allocate memory"
    r"|\[Errno 11\]|native thread|start new thread|EADDRNOTAVAIL|cannot assign requested address"
)
# A value that was never filled in, not a service that is down. The address of the extensions and
# of the runtime's own interface is this machine as well.
_AT_HOME = wording(
    r"\blocalhost\b|\[?::1\]?[:)]|\b127\.0\.0\.1\b|sandbox\.localdomain"
    r"|(?:ENOTFOUND|EAI_AGAIN|lookup|resolve|host(?:name)?|server|://)\W{0,3}"
    r"(?:undefined|null|none|nil|your[-_]|change-?me|placeholder|replace[-_]?me|todo\b|<)"
)
_OVERDUE = wording(
    r"due to statement timeout|statement timeout|maximum statement execution time"
    r"|max_execution_time|lock wait timeout|QueryCanceled\b|query (?:read )?timed? ?out"
    r"|QueryTimeout|Execution Timeout Expired|prior to completion of the operation"
    r"|MaxTimeMSExpired|exceeded time limit|statement or warehouse timeout"
    r"|statement (?:was )?cancell?ed due to timeout|ORA-01013\b|ORA-00054\b"
    r"|still waiting for (?:\w{1,20} ){0,3}locks?\b|idle in transaction|lock[^\n]{0,40} held by"
    r"|query (?:was )?(?:cancell?ed|aborted|killed)[^\n]{0,40}time|slow quer(?:y|ies)\b|慢查询"
)
_REFUSED = wording(
    r"ECONNREFUSED|connection refused|ConnectionRefusedError|actively refused"
    r"|ORA-(?:12541|12514|01033|01034)\b|no listener"
    r"|(?:status(?:[ _]?code)?[\"']?[:=]?|HTTP(?:/\d(?:\.\d)?)?(?: (?:error|status))?|->|=>|<-"
    r"|responded|returned|answered|got|failed|error code:?) ?[\"(\[]?(?:with |a |an )?"
    r"(?:(?:http )?status )?(?:code )?[:=]?[ \"]?5(?:0[0-9]|2[0-9]|30)\b(?![.,]\d)"
    r"(?! ?(?:ms|s|sec|rows?|items?|records?|results?|messages?|bytes|[KMG]B|%|tokens)\b)"
    r"|\b5(?:0[0-4]|2[0-7]|29) (?:Server Error|Internal Server Error|Bad Gateway"
    r"|Service (?:Temporarily )?Unavailable|Gateway Time)"
    r"|Service (?:Temporarily )?Unavailable|Bad Gateway|Gateway Time-?out|Internal Server Error"
    r"|StatusCode\.UNAVAILABLE|\b14 UNAVAILABLE\b|code = Unavailable|no healthy upstream"
    r"|\((?:InternalServerError|InternalServerException|InternalFailure|InternalError"
    r"|ServiceUnavailable)(?:Exception)?\) when calling|ServiceUnavailableException"
    r"|certificate (?:has|is) expired|CERT_HAS_EXPIRED|TransportError\(50\d|cluster_block_exception"
    r"|overloaded_error|connection attempt failed: refused|拒绝连接|服务不可用"
)
_NO_ANSWER = wording(
    r"read ?time(?:d )?-?out|ReadTimeout|read ETIMEDOUT|ESOCKETTIMEDOUT|ECONNABORTED"
    r"|UND_ERR_(?:HEADERS|BODY)_TIMEOUT|(?:headers|body) timeout error"
    r"|HttpClient\.Timeout of|while awaiting headers|TLS handshake timeout"
    r"|read tcp [^\n]{0,80}i/o timeout|DEADLINE_EXCEEDED|code = DeadlineExceeded"
    r"|HttpTimeoutException|ApiCall(?:Attempt)?Timeout|did not complete before the specified"
    r"|did not complete within|timeout (?:of|after|exceeded:?) ?\d{1,9} ?(?:ms|s)\b"
    r"|Sandbox\.Timedout|States\.Timeout\b"
    r"|timeout reading from socket|Timeout during reading attempt|Command timed out"
    r"|Timeout performing|operation (?:has )?timed out|network timeout at|cURL error 28: Operation"
    r"|SocketTimeoutException(?!: connect)|Net::ReadTimeout|Faraday::TimeoutError"
    r"|aborted due to timeout|signal timed out|AbortError\b"
    r"|TimeoutError: (?:timed out|The read operation timed out)|socket\.timeout: timed out"
    r"|request timed ?-?out|did not (?:respond|answer|reply) (?:with)?in"
    r"|upstream (?:request )?time(?:d )?-?out|context deadline exceeded|deadline has elapsed"
    r"|asyncio(?:\.exceptions)?\.TimeoutError|响应超时|读取超时"
)
_CONNECT_TIMEOUT = wording(
    r"connect(?:ion)?(?: attempt)? ?time(?:d )?-?out|connect(?:ion)? timeout|ConnectTimeout"
    r"|ConnectionTimeout|connect ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|dial \w{1,8}[^\n]{0,80}timeout"
    r"|Net::OpenTimeout|\(execution expired\)|urlopen error timed out|Timeout connecting to"
    r"|did not establish a connection|without establishing a connection"
    r"|while waiting for connection|HTTP connect timeout|ORA-12170\b|ORA-12535\b"
    r"|Can't (?:connect to MySQL|reach database) server|connection timeout expired"
    r"|timeout expired\b|timeout exceeded when trying to connect|ServerSelectionTimeout"
    r"|MongoServerSelection|server selection timed? ?out|ReplicaSetNoPrimary|No suitable servers"
    r"|Failed to update metadata|not present in metadata after|fetching topic metadata"
    r"|NoBrokersAvailable|Broker may not be available|brokers? (?:are )?unreachable"
    r"|MaxRetriesPerRequestError|not possible to connect to the redis"
    r"|party did not properly respond|error occurred while establishing a connection to SQL"
    r"|Network Adapter could not establish|Could not connect to Snowflake|ETIMEDOUT"
    r"|Failed to (?:connect|open)[^\n]{0,120}time|unable to connect[^\n]{0,120}time|连接超时"
)
_NO_RESOLVER = wording(
    r"EAI_AGAIN|temporary failure in name resolution|ETIMEOUT|queryA ETIMEOUT"
    r"|lookup [^\n]{1,120}(?:i/o timeout|server misbehaving)|DNS (?:query|resolution) timed"
)
_NAMELESS = wording(
    r"\bENOTFOUND|Name or service not known|name resolution|getaddrinfo|no such host|ENODATA"
    r"|could not translate host name|UnknownHost|NameResolutionError|could not resolve host"
    r"|failed to lookup address|nodename nor servname|No such host is known|dns error"
    r"|Could not connect to the endpoint URL|ORA-12545\b|域名解析"
)
_FAILING = wording(
    r"ECONNRESET|socket hang up|connection reset|RemoteDisconnected|connection aborted|\bEPIPE\b"
    r"|broken pipe|upstream connect error|connection (?:was )?(?:terminated|lost)"
    r"|connection (?:was )?closed (?:by|unexpectedly|before)"
    r"|server closed the connection|SSL SYSCALL error|Communications link failure|gone away"
    r"|Lost connection to|database system is (?:starting up|shutting down|in recovery)"
    r"|terminating connection due to administrator|CLUSTERDOWN|LOADING Redis|MASTERDOWN"
    r"|EFSIOException|stale (?:NFS )?file handle|\bESTALE\b"
    r"|read[- ]only (?:replica|transaction)|READONLY You"
    r"|ORA-(?:03113|03114|12537|12547|12528)\b|UND_ERR_SOCKET|fetch failed\b"
    r"|circuit ?breaker [^\n]{0,60}open|circuit (?:is )?open|under maintenance|scheduled outage"
    r"|no living connections|master_not_discovered|coordinator is not available"
    r"|DatabaseResuming|is resuming after being auto-?paused|BusyLoading|loading the dataset in"
    r"|not(?:[_ ]the)?[_ ]?leader[_ ]?(?:or[_ ]?follower|for)|leader[_ ]not[_ ]available"
    r"|not[_ ]?coordinator\b|coordinator[_ ]not[_ ]available|not[_ ]?enough[_ ]?replicas"
    r"|not[_ ]?writable[_ ]?primary|PrimarySteppedDown|NotPrimaryError"
    r"|not yet accepting connections|shutdown in progress|NoHostAvailable"
    r"|on server \S{1,80} is not currently available"
    r"|MongoNetworkError|leader not available|Faraday::ConnectionFailed"
    r"|cURL error (?:7|28|35|52|56)\b|Unable to connect to the (?:remote )?server"
    r"|error sending request for url|HandshakeException"
    r"|self[- ]signed certificate|unable to (?:verify the first certificate|get (?:local )?issuer)"
    r"|certificate verify failed|CERTIFICATE_VERIFY_FAILED|PKIX path (?:building|validation)"
    r"|x509: certificate|remote certificate is invalid"
    r"|\b(?:service|server|host|upstream|partner|endpoint|api|backend|gateway|database|provider"
    r"|dependency|broker|cluster)\b[^\n]{0,60} (?:unavailable|unreachable"
    r"|(?:is|was|seems) (?:down|offline|not (?:responding|answering|reachable)))\b"
)

_TABLE: tuple[tuple[Trouble | None, re.Pattern[str]], ...] = (
    (None, _OWN),
    (Trouble.FAILING, _FULL),
    (Trouble.EXHAUSTED, _EXHAUSTED),
    (Trouble.THROTTLED, _THROTTLED),
    (Trouble.UNREACHABLE, _UNREACHABLE),
    (None, _SAYS_NO),
    (None, _AT_HOME),
    (Trouble.OVERDUE, _OVERDUE),
    (Trouble.REFUSED, _REFUSED),
    (Trouble.NO_ANSWER, _NO_ANSWER),
    (Trouble.NO_RESOLVER, _NO_RESOLVER),
    (Trouble.NAMELESS, _NAMELESS),
    (Trouble.CONNECT_TIMEOUT, _CONNECT_TIMEOUT),
    (Trouble.FAILING, _FAILING),
)


def trouble_of(text: str) -> Trouble | None:
    """Give the trouble with another service that a text tells of; None when it tells of none.

    Of a long text only its head and its tail are looked at.
    """
    return _trouble_of(lowered(text))


@lru_cache(maxsize=2048)
def _trouble_of(text: str) -> Trouble | None:
    # The same lines are asked about once for each cause.
    return next((trouble for trouble, words in _TABLE if words.search(text)), None)


def said_in(line: LogLine) -> str:
    """Give what a line says, and where it is an object also the fields beside its words."""
    words = words_of(line)
    raw = line.message[:LONGEST]
    return words if words == raw or "{" not in raw else f"{words}\n{raw}"


def trouble_in(line: LogLine) -> Trouble | None:
    """Give the trouble with another service that a line tells of; None when it tells of none."""
    return trouble_of(said_in(line))

"""What to change for each root cause, in a line: the gist of its runbook, in both languages."""
# ruff: noqa: E501, RUF001 - a cause is a line; Chinese is wide, and its punctuation full-width

from __future__ import annotations

from autorepair.domain.diagnosis import RootCause

IN_ENGLISH: dict[RootCause, str] = {
    RootCause.TIMEOUT_TOO_LOW: "Raise the timeout above what the work takes, but not above what its "
    "callers wait for.",
    RootCause.MEMORY_EXHAUSTED: "Raise the memory (at least double it after a kill), or work on "
    "smaller pieces; where an option caps the heap, raise that option.",
    RootCause.CPU_STARVED: "Raise the memory: the processor grows with it, up to one whole at "
    "1,769 MB.",
    RootCause.MISSING_ENV_VAR: "Declare the variable under the known configuration, or set it; put "
    "it into the template too.",
    RootCause.WRONG_ENV_VAR: "Set the variable to the value that is meant, and declare that value; "
    "put it into the template too.",
    RootCause.EPHEMERAL_STORAGE_FULL: "Raise the ephemeral storage, or stream; delete what "
    "invocations leave behind in /tmp.",
    RootCause.READ_ONLY_FILESYSTEM: "Let it write to /tmp: in the code, or by the variable that "
    "names the folder.",
    RootCause.FILE_PERMISSION: "Build the package or image with readable files (chmod -R a+rX) and "
    "an executable bootstrap.",
    RootCause.DEPENDENCY_MISSING: "Deploy the package before it, or build it anew with the missing "
    "dependency or layer, in the runtime's own image.",
    RootCause.HANDLER_MISCONFIGURED: "Put the former handler back, or deploy the package that the "
    "setting means.",
    RootCause.ARCHITECTURE_MISMATCH: "Build for the function's processor, or set the architecture "
    "to what was built, together with the code.",
    RootCause.INIT_TIMEOUT: "Do less at start (no calls at import, lazy clients), or raise the "
    "memory.",
    RootCause.PERMISSION_DENIED: "Give the function's role the action that was denied, on that "
    "resource, in the template that owns the role.",
    RootCause.CONCURRENCY_LIMITED: "Raise the reservation, or ask for a higher account quota; for a "
    "queue set the mapping's maximum concurrency.",
    RootCause.DOWNSTREAM_UNAVAILABLE: "Tell the owner of the service that is down; switch to a "
    "fallback or stop the traffic meanwhile.",
    RootCause.DOWNSTREAM_SLOW: "Tell the owner of the slow service; end what blocks it. The "
    "function's timeout is no cure.",
    RootCause.DOWNSTREAM_THROTTLED: "Call it less (batch, cache, lower concurrency), or ask for a "
    "higher quota.",
    RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED: "End idle connections, limit who opens new ones, "
    "and put a pool or proxy in front of the database.",
    RootCause.NETWORK_UNREACHABLE: "Put the security group, route, endpoint or DNS association "
    "back; the function needs no change.",
    RootCause.BAD_DEPLOYMENT: "Go back: move the alias to the version before, or deploy the former "
    "package again.",
    RootCause.CODE_BUG: "Mend the code at the place that the stack trace names, or go back a "
    "version.",
    RootCause.POISON_EVENT: "Get the event out of the way (dead-letter queue, on-failure "
    "destination), then make the code set such events aside.",
    RootCause.PAYLOAD_TOO_LARGE: "Page, compress or split it, or put the body into S3 and send its "
    "key.",
    RootCause.MEMORY_LEAK: "Bound or drop what is kept from one invocation to the next; more memory "
    "only delays it.",
    RootCause.CREDENTIALS_EXPIRED: "Renew the secret or key, then make warm environments start "
    "anew so that they read it.",
    RootCause.RESOURCE_EXHAUSTED_FDS_THREADS: "Make one client per environment, close what is "
    "opened, and bound parallel work.",
    RootCause.RECURSIVE_LOOP: "Stop it first (disable the trigger, or reserve 0 executions), then "
    "write elsewhere than to what triggers it.",
    RootCause.IMAGE_UNUSABLE: "Push the image again for one platform (--provenance=false), and let "
    "Lambda read the repository.",
    RootCause.FALSE_ALARM: "Nothing on the function: mend the alarm's threshold, period or missing "
    "data, or delete it.",
    RootCause.INSUFFICIENT_EVIDENCE: "Let the function log (its role, its log level), make it fail "
    "once more, and start the diagnosis by hand.",
    RootCause.UNKNOWN: "Read the words above and the log around them: no rule knows them.",
}

IN_CHINESE: dict[RootCause, str] = {
    RootCause.TIMEOUT_TOO_LOW: "将超时提高到工作所需时间以上，但不要超过调用方的等待上限。",
    RootCause.MEMORY_EXHAUSTED: "提高内存（被终止后至少翻倍），或分块处理；若某选项限制了堆，则提高该选项。",
    RootCause.CPU_STARVED: "提高内存：CPU 随内存增长，1,769 MB 时为一个完整 CPU。",
    RootCause.MISSING_ENV_VAR: "在已知配置中声明该变量，或直接设置；并写入模板。",
    RootCause.WRONG_ENV_VAR: "将该变量设为应有的值并声明；并写入模板。",
    RootCause.EPHEMERAL_STORAGE_FULL: "提高临时存储或改用流式处理；清理遗留在 /tmp 的文件。",
    RootCause.READ_ONLY_FILESYSTEM: "改为写入 /tmp：修改代码，或修改指定目录的变量。",
    RootCause.FILE_PERMISSION: "重新构建包或镜像，使文件可读（chmod -R a+rX）、bootstrap 可执行。",
    RootCause.DEPENDENCY_MISSING: "部署上一个包，或在运行时自带镜像中补上缺失的依赖或层后重新构建。",
    RootCause.HANDLER_MISCONFIGURED: "恢复原来的处理程序设置，或部署与该设置相符的包。",
    RootCause.ARCHITECTURE_MISMATCH: "按函数的架构重新构建，或连同代码一起修改架构设置。",
    RootCause.INIT_TIMEOUT: "减少启动时的工作（导入时不发起调用、延迟创建客户端），或提高内存。",
    RootCause.PERMISSION_DENIED: "在拥有该角色的模板中，为函数角色授予对该资源被拒绝的操作。",
    RootCause.CONCURRENCY_LIMITED: "提高预留并发或申请更高的账号配额；队列请设置映射的最大并发。",
    RootCause.DOWNSTREAM_UNAVAILABLE: "通知故障服务的负责人；在此期间切换到备用方案或停止流量。",
    RootCause.DOWNSTREAM_SLOW: "通知慢服务的负责人，消除阻塞；延长函数超时不能解决问题。",
    RootCause.DOWNSTREAM_THROTTLED: "减少调用（批处理、缓存、降低并发），或申请更高的配额。",
    RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED: "结束空闲连接，限制新建连接，并在数据库前使用连接池或代理。",
    RootCause.NETWORK_UNREACHABLE: "恢复安全组、路由、终端节点或 DNS 关联；函数无需修改。",
    RootCause.BAD_DEPLOYMENT: "回退：将别名移回上一个版本，或重新部署原来的包。",
    RootCause.CODE_BUG: "按堆栈指出的位置修复代码，或回退一个版本。",
    RootCause.POISON_EVENT: "先移走该事件（死信队列、失败目标），再让代码把此类事件放到一边。",
    RootCause.PAYLOAD_TOO_LARGE: "分页、压缩或拆分，或将正文放入 S3 并传递其键。",
    RootCause.MEMORY_LEAK: "限制或丢弃跨调用保留的内容；增加内存只会推迟问题。",
    RootCause.CREDENTIALS_EXPIRED: "更新密钥，然后让热环境重新启动以读取新值。",
    RootCause.RESOURCE_EXHAUSTED_FDS_THREADS: "每个环境只建一个客户端，关闭已打开的资源，并限制并行度。",
    RootCause.RECURSIVE_LOOP: "先停止循环（禁用触发器，或将预留并发设为 0），再写到触发源以外的位置。",
    RootCause.IMAGE_UNUSABLE: "按单一平台重新推送镜像（--provenance=false），并允许 Lambda 读取仓库。",
    RootCause.FALSE_ALARM: "函数无需修改：调整告警的阈值、周期或缺失数据处理，或删除该告警。",
    RootCause.INSUFFICIENT_EVIDENCE: "让函数能写日志（角色、日志级别），再复现一次失败，并手动启动诊断。",
    RootCause.UNKNOWN: "请阅读上面的原文及其前后的日志：没有规则认识它们。",
}

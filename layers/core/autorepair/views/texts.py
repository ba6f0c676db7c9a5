"""The words of the messages, in English and in Chinese, side by side."""
# ruff: noqa: RUF001 - Chinese is written with full-width punctuation

from __future__ import annotations

from dataclasses import dataclass

from autorepair.domain.diagnosis import RootCause
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Outcome


@dataclass(frozen=True)
class Language:
    """Everything a message says in one language."""

    headlines: dict[Outcome, str]
    next_steps: dict[Outcome, str]
    causes: dict[RootCause, str]
    undo: dict[Undo, str]
    labels: dict[str, str]


ENGLISH = Language(
    headlines={
        Outcome.REPAIRED: "Repaired: the change was applied and real traffic shows that it helped.",
        Outcome.UNVERIFIED: "Unverified: there is no proof from traffic that the change helped.",
        Outcome.ROLLED_BACK: "Rolled back: the change did not help and was taken back.",
        Outcome.ESCALATED: "Over to you: the service could not or may not repair this by itself.",
        Outcome.REJECTED: "Rejected: a person said no; nothing was changed.",
        Outcome.EXPIRED: "Expired: nobody answered in time; nothing was changed.",
        Outcome.RECOVERED: "Recovered: the alarm went back to OK; nothing was changed.",
        Outcome.IGNORED: "Ignored: not an alarm of an enrolled function.",
        Outcome.FAILED: "FAILED: the service itself failed on this incident.",
    },
    next_steps={
        Outcome.REPAIRED: "Make it permanent as shown below, or the next deployment undoes it.",
        Outcome.UNVERIFIED: "Watch the function, and decide whether the setting is to stay.",
        Outcome.ROLLED_BACK: "Look for the cause by hand; configuration was not the answer.",
        Outcome.ESCALATED: "Look at the root cause and the reason above, and repair it by hand.",
        Outcome.REJECTED: "Repair it by hand; the alarm may still be on.",
        Outcome.EXPIRED: "Repair it by hand; a new alarm asks again.",
        Outcome.RECOVERED: "Nothing, unless it comes back.",
        Outcome.IGNORED: "Nothing.",
        Outcome.FAILED: "Check the function's configuration and the log of HandleFailure.",
    },
    causes={cause: cause.value.replace("_", " ") for cause in RootCause},
    undo={
        "nothing_to_undo": "Nothing is left half done.",
        "undone": "The change was taken back.",
        "handed_over": "The change could not be told from somebody else's; CHECK IT BY HAND.",
        "undo_failed": "The change could NOT be taken back; CHECK THE FUNCTION NOW.",
    },
    labels={
        "function": "Function",
        "alarm": "Alarm",
        "cause": "Root cause",
        "why": "Why",
        "evidence": "Evidence",
        "decision": "Decision",
        "change": "Change",
        "withheld": "Not done",
        "verification": "Verification",
        "rollback": "Rollback",
        "gaps": "Could not be read",
        "next": "What to do",
        "permanent": "To make it permanent (SAM or CloudFormation, in the function's Properties)",
        "incident": "Incident",
        "declared": "the declared value",
        "sealed": "its former value",
        "absent": "not set",
        "timeout": "timeout",
        "memory": "memory",
        "confidence": "confidence",
        "failed_of": "failed of",
        "before": "before",
        "after": "after",
        "asking": "May this change be made?",
        "expires": "Without an answer nothing is changed; the question expires after",
        "hours": "hours",
        "minutes": "minutes",
        "seconds": "seconds",
        "all": "To see all of it",
        "answer": "To answer",
        "error": "Error",
        "unknown_function": "unknown function",
    },
)

CHINESE = Language(
    headlines={
        Outcome.REPAIRED: "已修复：变更已应用，真实流量证明有效。",
        Outcome.UNVERIFIED: "未验证：没有流量能证明变更有效。",
        Outcome.ROLLED_BACK: "已回滚：变更没有帮助，已撤销。",
        Outcome.ESCALATED: "需要人工处理：本服务不能或不得自行修复。",
        Outcome.REJECTED: "已拒绝：有人否决，未做任何变更。",
        Outcome.EXPIRED: "已过期：无人按时答复，未做任何变更。",
        Outcome.RECOVERED: "已恢复：告警已回到 OK，未做任何变更。",
        Outcome.IGNORED: "已忽略：不是已登记函数的告警。",
        Outcome.FAILED: "失败：本服务自身在处理此事件时出错。",
    },
    next_steps={
        Outcome.REPAIRED: "请按下文将变更固化，否则下次部署会将其覆盖。",
        Outcome.UNVERIFIED: "请观察该函数，并决定是否保留该设置。",
        Outcome.ROLLED_BACK: "请人工查找原因；调整配置不能解决问题。",
        Outcome.ESCALATED: "请查看上文的根本原因和理由，并人工修复。",
        Outcome.REJECTED: "请人工修复；告警可能仍在持续。",
        Outcome.EXPIRED: "请人工修复；新的告警会再次询问。",
        Outcome.RECOVERED: "无需处理，除非再次出现。",
        Outcome.IGNORED: "无需处理。",
        Outcome.FAILED: "请检查该函数的配置以及 HandleFailure 的日志。",
    },
    causes={
        RootCause.TIMEOUT_TOO_LOW: "超时设置过短",
        RootCause.MEMORY_EXHAUSTED: "内存耗尽",
        RootCause.CPU_STARVED: "CPU 不足",
        RootCause.MISSING_ENV_VAR: "缺少环境变量",
        RootCause.WRONG_ENV_VAR: "环境变量的值错误",
        RootCause.EPHEMERAL_STORAGE_FULL: "临时存储已满",
        RootCause.READ_ONLY_FILESYSTEM: "写入只读文件系统",
        RootCause.FILE_PERMISSION: "文件权限错误",
        RootCause.DEPENDENCY_MISSING: "缺少依赖",
        RootCause.HANDLER_MISCONFIGURED: "处理程序配置错误",
        RootCause.ARCHITECTURE_MISMATCH: "架构不匹配",
        RootCause.INIT_TIMEOUT: "初始化超时",
        RootCause.PERMISSION_DENIED: "权限被拒绝",
        RootCause.CONCURRENCY_LIMITED: "并发受限",
        RootCause.DOWNSTREAM_UNAVAILABLE: "下游不可用",
        RootCause.DOWNSTREAM_SLOW: "下游缓慢",
        RootCause.DOWNSTREAM_THROTTLED: "被下游限流",
        RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED: "下游连接耗尽",
        RootCause.NETWORK_UNREACHABLE: "网络不可达",
        RootCause.BAD_DEPLOYMENT: "有问题的部署",
        RootCause.CODE_BUG: "代码缺陷",
        RootCause.POISON_EVENT: "有害事件",
        RootCause.PAYLOAD_TOO_LARGE: "负载过大",
        RootCause.MEMORY_LEAK: "内存泄漏",
        RootCause.CREDENTIALS_EXPIRED: "凭证过期",
        RootCause.RESOURCE_EXHAUSTED_FDS_THREADS: "文件描述符或线程耗尽",
        RootCause.RECURSIVE_LOOP: "递归循环",
        RootCause.IMAGE_UNUSABLE: "容器镜像不可用",
        RootCause.FALSE_ALARM: "误报",
        RootCause.INSUFFICIENT_EVIDENCE: "证据不足",
        RootCause.UNKNOWN: "未知",
    },
    undo={
        "nothing_to_undo": "没有遗留未完成的变更。",
        "undone": "变更已撤销。",
        "handed_over": "无法将该变更与他人的变更区分；请人工检查。",
        "undo_failed": "变更未能撤销；请立即检查该函数。",
    },
    labels={
        "function": "函数",
        "alarm": "告警",
        "cause": "根本原因",
        "why": "理由",
        "evidence": "证据",
        "decision": "决定",
        "change": "变更",
        "withheld": "未执行",
        "verification": "验证",
        "rollback": "回滚",
        "gaps": "无法读取",
        "next": "下一步",
        "permanent": "固化变更（SAM 或 CloudFormation，写入该函数的 Properties）",
        "incident": "事件",
        "declared": "已声明的值",
        "sealed": "原来的值",
        "absent": "未设置",
        "timeout": "超时",
        "memory": "内存",
        "confidence": "置信度",
        "failed_of": "次失败，总调用",
        "before": "变更前",
        "after": "变更后",
        "asking": "是否允许此变更？",
        "expires": "无人答复则不做变更；此询问的有效时间",
        "hours": "小时",
        "minutes": "分钟",
        "seconds": "秒",
        "all": "查看全部记录",
        "answer": "答复方式",
        "error": "错误",
        "unknown_function": "未知函数",
    },
)

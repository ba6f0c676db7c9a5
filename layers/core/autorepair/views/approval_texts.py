"""The words of the approval page, in English and in Chinese, side by side."""
# ruff: noqa: RUF001 - Chinese is written with full-width punctuation

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autorepair.domain.audit import RecordKind
from autorepair.domain.page import Language as PageLanguage
from autorepair.views.texts import CHINESE, ENGLISH, Language


class Notice(StrEnum):
    """What the page says of an answer, or instead of the question."""

    APPROVED_NOW = "approved_now"
    REJECTED_NOW = "rejected_now"
    ANSWERED = "answered"
    TOO_LATE = "too_late"
    EXPIRED = "expired"
    STOPPED = "stopped"
    CLOSED = "closed"
    PLAN_CHANGED = "plan_changed"
    CONTRARY = "contrary"
    PAUSED = "paused"
    """A yes was refused."""
    PAUSED_NOW = "paused_now"
    """A yes would be."""
    FUNCTION_MISSING = "function_missing"
    WRONG_FUNCTION = "wrong_function"
    NAME_MISSING = "name_missing"
    NAME_UNFIT = "name_unfit"
    COMMENT_TOO_LONG = "comment_too_long"
    SPENT = "spent"
    UNKNOWN_LINK = "unknown_link"
    BAD_REQUEST = "bad_request"
    TRY_AGAIN = "try_again"


@dataclass(frozen=True)
class NoticeWords:
    """A heading, and what it means for the person."""

    heading: str
    text: str


@dataclass(frozen=True)
class PageWords:
    """Everything that only the page says, in one language."""

    language: Language
    """The words that the messages have in common with it."""
    code: PageLanguage
    """As in the page's address."""
    lang: str
    """As in the page's lang attribute (BCP 47)."""
    other: tuple[PageLanguage, str, str]
    """The other language: its name in links, its lang attribute and its own word for itself."""
    notices: dict[Notice, NoticeWords]
    kinds: dict[RecordKind, str]
    labels: dict[str, str]


_ENGLISH_NOTICES = {
    Notice.APPROVED_NOW: NoticeWords(
        "Approved",
        "Your answer is recorded. The change is made next, if the function is still configured as "
        "it was; then it is checked against real traffic. Open this page again to see how it goes "
        "on.",
    ),
    Notice.REJECTED_NOW: NoticeWords(
        "Rejected", "Your answer is recorded. This change is not made."
    ),
    Notice.ANSWERED: NoticeWords(
        "Answered", "This question has its answer; there is nothing left to do."
    ),
    Notice.TOO_LATE: NoticeWords(
        "Too late",
        "This answer came too late: the service was not waiting any more. Nothing was changed by "
        "it.",
    ),
    Notice.EXPIRED: NoticeWords(
        "Expired",
        "Nobody answered in time, and that counts as a no: this change is not made. If the alarm "
        "is still on, see to its cause by hand.",
    ),
    Notice.STOPPED: NoticeWords(
        "Stopped by hand",
        "Somebody stopped the execution of this incident before this change was made. If the alarm "
        "is still on, see to its cause.",
    ),
    Notice.CLOSED: NoticeWords(
        "Not waiting any more",
        "This question cannot be answered any more. What stands is told below.",
    ),
    Notice.PLAN_CHANGED: NoticeWords(
        "Another plan has been made",
        "The plan that this link asks about was made anew since, so it cannot be answered here. "
        "Use the link in the newest message about this incident.",
    ),
    Notice.CONTRARY: NoticeWords(
        "Answered differently before",
        "The first answer stands; yours was not taken.",
    ),
    Notice.PAUSED: NoticeWords(
        "Repairs are paused",
        "An approval would be used up now and nothing written. Approve once repairs are resumed, "
        "or reject.",
    ),
    Notice.PAUSED_NOW: NoticeWords(
        "Repairs are paused",
        "A yes is not taken while they are: approve once repairs are resumed. A no is taken.",
    ),
    Notice.FUNCTION_MISSING: NoticeWords(
        "The function's name is missing",
        "Type the function's name exactly as it is shown.",
    ),
    Notice.WRONG_FUNCTION: NoticeWords(
        "The function's name does not match",
        "Type the name again exactly as it is shown, capital letters included.",
    ),
    Notice.NAME_MISSING: NoticeWords(
        "Your name is missing",
        "The record has to say who answered.",
    ),
    Notice.NAME_UNFIT: NoticeWords(
        "This name cannot be recorded",
        "A name has at most 100 characters, all of them visible ones.",
    ),
    Notice.COMMENT_TOO_LONG: NoticeWords(
        "The comment is too long",
        "A comment has at most 1,000 characters.",
    ),
    Notice.SPENT: NoticeWords(
        "This form was used before, or is too old",
        "If an answer was sent by it just now, this page shows it when it is opened again. Here is "
        "a fresh one.",
    ),
    Notice.UNKNOWN_LINK: NoticeWords(
        "There is no question at this link",
        "It was copied incompletely, or its question was asked long ago. What became of it is "
        "told by autorepair incidents and autorepair show. If a question is open, the newest "
        "message about the function has its link, and commands that work as well.",
    ),
    Notice.BAD_REQUEST: NoticeWords(
        "This request cannot be read",
        "Nothing is decided. Open the link in the message again.",
    ),
    Notice.TRY_AGAIN: NoticeWords(
        "Nothing is known to be decided",
        "The service could not finish this just now. Open the link in the message again in a "
        "minute: it shows what stands.",
    ),
}
_CHINESE_NOTICES = {
    Notice.APPROVED_NOW: NoticeWords(
        "已批准",
        "您的答复已记录。若该函数的配置未变，接下来将执行变更，并用真实流量检验。重新打开本页可查看进展。",
    ),
    Notice.REJECTED_NOW: NoticeWords("已拒绝", "您的答复已记录。不会执行此变更。"),
    Notice.ANSWERED: NoticeWords("已答复", "此询问已有答复，无需再处理。"),
    Notice.TOO_LATE: NoticeWords(
        "答复过晚", "此答复来得太晚：本服务已不再等待。它没有改变任何内容。"
    ),
    Notice.EXPIRED: NoticeWords(
        "已过期",
        "无人按时答复，视为拒绝：不会执行此变更。若告警仍在持续，请人工处理其原因。",
    ),
    Notice.STOPPED: NoticeWords(
        "已由人工中止",
        "在执行此变更之前，此事件的执行已被人工终止。若告警仍在持续，请查明其原因。",
    ),
    Notice.CLOSED: NoticeWords("不再等待答复", "此询问已不能答复。目前的情况见下文。"),
    Notice.PLAN_CHANGED: NoticeWords(
        "方案已重新制定",
        "此链接所询问的方案此后已重新制定，不能在此答复。请使用此事件最新消息中的链接。",
    ),
    Notice.CONTRARY: NoticeWords("此前已有相反的答复", "以最先的答复为准；您的答复未被采纳。"),
    Notice.PAUSED: NoticeWords(
        "修复已暂停",
        "此时批准会用掉答复而不写入任何变更。请在恢复修复后再批准，或选择拒绝。",
    ),
    Notice.PAUSED_NOW: NoticeWords(
        "修复已暂停",
        "暂停期间不接受批准：请在恢复修复后再批准。拒绝可随时提交。",
    ),
    Notice.FUNCTION_MISSING: NoticeWords(
        "缺少函数名称",
        "请完全按照所示输入函数名称。",
    ),
    Notice.WRONG_FUNCTION: NoticeWords(
        "函数名称不一致",
        "请完全按照所示重新输入名称，区分大小写。",
    ),
    Notice.NAME_MISSING: NoticeWords("缺少您的姓名", "记录中必须写明是谁答复的。"),
    Notice.NAME_UNFIT: NoticeWords(
        "此姓名无法记录",
        "姓名最多 100 个字符，且均须为可见字符。",
    ),
    Notice.COMMENT_TOO_LONG: NoticeWords("备注过长", "备注最多 1000 个字符。"),
    Notice.SPENT: NoticeWords(
        "此表单已用过或已过时",
        "若刚才已用它提交答复，重新打开本页即可看到。这是一份新表单。",
    ),
    Notice.UNKNOWN_LINK: NoticeWords(
        "此链接没有对应的询问",
        "链接复制不完整，或其询问早已过去。处理结果可用 autorepair incidents 与 "
        "autorepair show 查看。若仍有待答复的询问，"
        "有关该函数的最新消息中有其链接，其中的命令同样可用。",
    ),
    Notice.BAD_REQUEST: NoticeWords("无法读取此请求", "尚未作出任何决定。请重新打开消息中的链接。"),
    Notice.TRY_AGAIN: NoticeWords(
        "没有已作出决定的记录",
        "本服务刚才未能完成处理。请在一分钟后重新打开消息中的链接，页面会显示目前的情况。",
    ),
}
_CHINESE_KINDS = {
    RecordKind.INCIDENT_OPENED: "事件已开启",
    RecordKind.ALARM_JOINED: "告警已并入",
    RecordKind.ALARM_IGNORED: "告警已忽略",
    RecordKind.EVIDENCE_COLLECTED: "已收集证据",
    RecordKind.DIAGNOSIS_MADE: "已作出诊断",
    RecordKind.ACTION_DECIDED: "已作出决定",
    RecordKind.APPROVAL_REQUESTED: "已请求批准",
    RecordKind.APPROVAL_ANSWERED: "已答复",
    RecordKind.APPROVAL_EXPIRED: "询问已过期",
    RecordKind.REPAIR_PLANNED: "修复已计划",
    RecordKind.REPAIR_APPLIED: "修复已应用",
    RecordKind.REPAIR_OVERTAKEN: "修复时函数被他人更改",
    RecordKind.REPAIR_WITHHELD: "修复未执行",
    RecordKind.PROBE_SENT: "已发送探测调用",
    RecordKind.REPAIR_VERIFIED: "修复已检验",
    RecordKind.ROLLBACK_PLANNED: "回滚已计划",
    RecordKind.ROLLBACK_DONE: "回滚已完成",
    RecordKind.ALARM_FITTED: "告警已随之调整",
    RecordKind.FAILURE_HANDLED: "失败已处理",
    RecordKind.BREAKER_TRIPPED: "熔断已触发",
    RecordKind.BREAKER_RESET: "熔断已复位",
    RecordKind.REPAIRS_PAUSED: "修复已暂停",
    RecordKind.REPAIRS_RESUMED: "修复已恢复",
    RecordKind.POLICY_SET: "策略已设置",
    RecordKind.FUNCTION_ENROLLED: "函数已登记",
    RecordKind.FUNCTION_UNENROLLED: "函数已取消登记",
    RecordKind.MESSAGE_UNDELIVERED: "消息未送达",
    RecordKind.MESSAGE_DELIVERED: "消息已送达",
    RecordKind.INCIDENT_CLOSED: "事件已关闭",
    RecordKind.REPAIR_ADOPTED: "修复已写入模板",
    RecordKind.REPAIR_REVERTED: "修复被改回",
    RecordKind.REPAIR_REPLACED: "修复被改为其他值",
    RecordKind.REPAIR_GONE: "修复的对象已不存在",
    RecordKind.REPAIR_UNADOPTED: "修复仍未写入模板",
    RecordKind.OUTCOME_OBSERVED: "已观察到后续结果",
}
_ENGLISH_LABELS = {
    "to_answer": "Go to the answer",
    "title": "Lambda Auto-Repair",
    "asking": "May this change be made?",
    "error": "Error",
    "until": "Answer until",
    "no_answer": "no answer counts as a no",
    "what_stands": "What stands",
    "the_change": "The change",
    "the_cause": "The cause",
    "how_sure": "How sure",
    "risk": "Risk",
    "named_by": "named by {source}",
    "rules": "rules",
    "model": "a model",
    "none": "nobody",
    "why_ask": "Why a person is asked",
    "calls": "Calls",
    "if_approved": "If approved",
    "approved_means": "The change is made if the function is still configured as it was, and "
    "checked against real traffic. One that makes things worse is taken back, and so is one that "
    "does not help, unless the policy keeps it.",
    "if_rejected": "If rejected",
    "rejected_means": "Nothing is changed.",
    "rejected_keeps": "This change is not made; what an earlier step changed stays.",
    "rejected_takes_back": "This change is not made, and what an earlier step changed is taken "
    "back.",
    "your_answer": "Your answer",
    "function_name": "Type the function's name to confirm",
    "exactly": "Exactly:",
    "name": "Your name",
    "name_hint": "Recorded as you type it.",
    "comment": "Comment (optional)",
    "comment_said": "Comment",
    "comment_hint": "At most 1,000 characters; kept in the record.",
    "approve": "Approve this change",
    "reject": "Reject this change",
    "answer": "Answer",
    "approved": "approved",
    "rejected": "rejected",
    "said": "{answer} by {by}",
    "by_the_link": "{name}, by the link",
    "open_again": "Open this page again",
    "undecided": "Nothing is decided. ",
    "type_again": "Type the function's name again: it is not kept.",
    "environment": "Environment",
    "ended_unanswered": "Expired: no answer reached the service in time; nothing was changed.",
    "another": "Another plan was made since, and asked about by a link of its own.",
    "outcome": "Outcome",
    "again": "The answer is recorded, and the incident has not been seen to go on yet. Open "
    "this page again in a minute. If nothing has moved by then, the same answer may be given once "
    "more.",
    "so_far": "So far",
    "incident": "The incident",
    "alarm_reason": "Reason of the alarm",
    "plan_hash": "Plan hash",
    "story": "The record",
    "unreadable": "The plan cannot be shown",
    "unreadable_next": "It was recorded by another version of the service, or is missing. "
    "Nothing can be answered here that is not shown; use the commands in the message.",
    "altered": "The record has been altered",
    "altered_at": "The record has been altered: number {seq} does not follow from the one before.",
    "altered_next": "Nothing can be answered on it; tell whoever runs this service.",
}
_CHINESE_LABELS = {
    "to_answer": "前往答复",
    "title": "Lambda Auto-Repair",
    "asking": "是否允许此变更？",
    "error": "错误",
    "until": "答复期限",
    "no_answer": "无人答复视为拒绝",
    "what_stands": "目前的情况",
    "the_change": "变更",
    "the_cause": "原因",
    "how_sure": "把握",
    "risk": "风险",
    "named_by": "由{source}判定",
    "rules": "规则",
    "model": "模型",
    "none": "无",
    "why_ask": "为何需要人工决定",
    "calls": "调用情况",
    "if_approved": "若批准",
    "approved_means": "若该函数的配置未变，将执行变更，并用真实流量检验；"
    "使情况变差的变更会被撤销；没有帮助的变更同样会被撤销，除非策略规定保留。",
    "if_rejected": "若拒绝",
    "rejected_means": "不做任何变更。",
    "rejected_keeps": "不执行此变更；此前步骤所做的变更保留。",
    "rejected_takes_back": "不执行此变更，并撤销此前步骤所做的变更。",
    "your_answer": "您的答复",
    "function_name": "输入函数名称以确认",
    "exactly": "须完全一致：",
    "name": "您的姓名",
    "name_hint": "按您输入的内容记录。",
    "comment": "备注（可选）",
    "comment_said": "备注",
    "comment_hint": "最多 1000 个字符；保留在记录中。",
    "approve": "批准此变更",
    "reject": "拒绝此变更",
    "answer": "答复",
    "approved": "已批准",
    "rejected": "已拒绝",
    "said": "{answer}，答复人：{by}",
    "by_the_link": "{name}（通过链接）",
    "open_again": "重新打开本页",
    "undecided": "尚未作出任何决定。",
    "type_again": "请重新输入函数名称：该项不会保留。",
    "environment": "环境",
    "ended_unanswered": "已过期：没有答复按时到达本服务，未做任何变更。",
    "another": "此后已重新制定方案，并以另一链接询问。",
    "outcome": "结果",
    "again": "答复已记录，但尚未看到事件继续进行。请在一分钟后重新打开本页；"
    "若仍无进展，可再次给出同样的答复。",
    "so_far": "进展",
    "incident": "事件",
    "alarm_reason": "告警理由",
    "plan_hash": "方案哈希",
    "story": "记录",
    "unreadable": "无法显示方案",
    "unreadable_next": "该方案由本服务的其他版本记录，或已缺失。未显示的内容不能在此答复；"
    "请使用消息中的命令。",
    "altered": "记录已被改动",
    "altered_at": "记录已被改动：第 {seq} 条与前一条不相衔接。",
    "altered_next": "不能据此答复；请通知本服务的维护者。",
}
WORDS: dict[PageLanguage, PageWords] = {
    "en": PageWords(
        language=ENGLISH,
        code="en",
        lang="en",
        other=("zh", "zh-CN", "中文"),
        notices=_ENGLISH_NOTICES,
        kinds={kind: kind.value.replace("_", " ") for kind in RecordKind},
        labels=_ENGLISH_LABELS,
    ),
    "zh": PageWords(
        language=CHINESE,
        code="zh",
        lang="zh-CN",
        other=("en", "en", "English"),
        notices=_CHINESE_NOTICES,
        kinds=_CHINESE_KINDS,
        labels=_CHINESE_LABELS,
    ),
}

"""The texts of refusals, in the look-alikes' English and, on demand, in Chinese.

The text is all that tells one refusal from another: the code is 500 for nearly all. See: fintrusted-api 3.4.
"""

from __future__ import annotations

from typing import Final

ILLEGAL: Final = "illegal argument"
LOG_IN: Final = "please login"
WRONG_PRICE: Final = "exorbitant prices!"
WRONG_AMOUNT: Final = "number of illegal!"
UNKNOWN_SYMBOL: Final = "nonsupport coin!"
DISABLED_SYMBOL: Final = "the coin is forbidden now"
DISABLED_ACCOUNT: Final = "account disabled"
TOO_SMALL: Final = "amount too small"
TOO_LARGE: Final = "amount too large"
LOCKED_WALLET: Final = "wallet locked"
NO_MARKET_ORDERS: Final = "market orders are not supported"
TOO_MANY_OPEN: Final = "too many open orders"
INSUFFICIENT: Final = "insufficient coin:"
FORBIDDEN: Final = "forbidden operation"
WRONG_STATE: Final = "order state error (completed or canceled)"
NO_ORDER: Final = "order does not exist"
WRONG_PASSWORD: Final = "username or password error"
LOCKED_OUT: Final = "account locked, try again later"
CAPTCHA: Final = "captcha required"
TOO_FREQUENT: Final = "request too frequent"
NO_RATE: Final = "no rate"

_CHINESE: Final = {
    ILLEGAL: "参数不合法",
    LOG_IN: "请先登录",
    WRONG_PRICE: "价格不合法!",
    WRONG_AMOUNT: "数量不合法!",
    UNKNOWN_SYMBOL: "不支持的币种!",
    DISABLED_SYMBOL: "该币种暂停交易",
    DISABLED_ACCOUNT: "账户已被禁用",
    TOO_SMALL: "数量太小",
    TOO_LARGE: "数量太大",
    LOCKED_WALLET: "钱包已锁定",
    NO_MARKET_ORDERS: "不支持市价交易",
    TOO_MANY_OPEN: "挂单数量过多",
    INSUFFICIENT: "余额不足:",
    FORBIDDEN: "禁止操作",
    WRONG_STATE: "订单状态错误(已完成或已撤销)",
    NO_ORDER: "订单不存在",
    WRONG_PASSWORD: "用户名或密码错误",
    LOCKED_OUT: "账户已锁定,请稍后再试",
    CAPTCHA: "请完成验证",
    TOO_FREQUENT: "请求过于频繁",
    NO_RATE: "没有汇率",
}


def in_chinese(text: str) -> str:
    """The text in Chinese, as far as it is known; what follows the phrase stays as it is."""
    for phrase, chinese in _CHINESE.items():
        if text.startswith(phrase):
            return chinese + text.removeprefix(phrase)
    return text

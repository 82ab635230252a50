"""ts-voucher-service: reimbursement vouchers."""

from .access import OPEN
from .backend import Backend


class VoucherService(Backend):
    """Reimbursement vouchers."""

    rules = OPEN


SERVICE = VoucherService

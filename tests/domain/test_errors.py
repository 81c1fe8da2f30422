"""The tree of errors: callers catch by class, so each status has the right one."""

from __future__ import annotations

import pytest

from budaiscaler.domain import errors


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param(400, errors.KubeStatusError, id="bad-request"),
        pytest.param(401, errors.UnauthorizedError, id="unauthorized"),
        pytest.param(403, errors.ForbiddenError, id="forbidden"),
        pytest.param(404, errors.NotFoundError, id="not-found"),
        pytest.param(409, errors.ConflictError, id="conflict"),
        pytest.param(410, errors.ExpiredError, id="expired"),
        pytest.param(422, errors.InvalidObjectError, id="invalid"),
        pytest.param(429, errors.OverloadedError, id="too-many-requests"),
        pytest.param(500, errors.OverloadedError, id="server-error"),
        pytest.param(504, errors.OverloadedError, id="gateway-timeout"),
    ],
)
def test_a_status_is_told_by_its_class(code: int, kind: type[errors.KubeStatusError]) -> None:
    """The class says what to do; code, reason and message are kept for the log."""
    error = errors.status_error(code, "Reason", "what happened")
    assert type(error) is kind
    assert (error.code, error.reason, str(error)) == (code, "Reason", "what happened")
    assert isinstance(error, errors.KubeError)


def test_every_error_has_one_root() -> None:
    """Whatever this project raises on purpose can be caught as one."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = [kind for kind in kinds if issubclass(kind, BaseException)]
    assert len(raised) > 10
    assert all(issubclass(kind, errors.BudAIScalerError) for kind in raised)

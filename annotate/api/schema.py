"""The OpenAPI schema: what drf-spectacular cannot see by itself."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from annotate.api.permissions import SIGNED_IN
from annotate.api.views.base import TokenView

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457: what went wrong, and what to do.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {}, "description": "By field."},
    },
}


class GuardedSchema(AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Says of each operation which scope it takes, and which role: for people, and for programs."""
        operation = super().get_operation(*args, **kwargs)
        if operation and isinstance(self.view, TokenView):
            scope, role = self.view.scopes[self.method], self.view.role
            told = f"Takes the scope {scope} and {'any role' if role == SIGNED_IN else f'the role {role} or more'}."
            operation["description"] = f"{operation.get('description', '')} {told}".strip()
            operation |= {"x-scope": str(scope), "x-role": str(role)}
        return operation


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "annotate.api.authentication.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "Make one at /account/tokens."}


def with_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Whatever is not as it should be has one shape, at every address."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "What went wrong", "content": content}
    return result

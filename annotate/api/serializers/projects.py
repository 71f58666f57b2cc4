"""The token itself, and the projects that it is good in."""

from rest_framework import serializers

from annotate.models import Membership, Project, Token


class TokenSelf(serializers.Serializer):
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(Token.Scope.values))
    project = serializers.CharField(
        source="project.slug", default=None, allow_null=True, help_text="Null: every project of its person."
    )
    expires_at = serializers.DateTimeField()
    projects_url = serializers.SerializerMethodField()

    def get_projects_url(self, token: Token) -> str:
        return self.context["request"].build_absolute_uri("/api/v1/projects")


class ProjectRow(serializers.Serializer):
    key = serializers.IntegerField(source="pk")
    slug = serializers.SlugField()
    name = serializers.CharField()
    description = serializers.CharField()
    purpose = serializers.ChoiceField(Project.Purpose.values)
    rankings_wanted = serializers.IntegerField(help_text="How many people rank each task.")
    role = serializers.SerializerMethodField(help_text="What you are in it.")
    prompts = serializers.IntegerField(source="n_prompts")
    rankings = serializers.IntegerField(source="n_rankings", help_text="Those that stand.")
    created_at = serializers.DateTimeField()

    def get_role(self, project: Project) -> str:
        is_owner = self.context["request"].user.is_installation_admin
        return Membership.Role.ADMIN.value if is_owner else project.role  # type: ignore[attr-defined]

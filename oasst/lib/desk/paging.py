"""Pages of long tables: what is few is counted, what is many is estimated by the database."""

import json
from functools import cached_property

from django.core.paginator import Paginator
from django.db.models import QuerySet

EXACT_UP_TO = 5_000


class EstimatedPaginator(Paginator):
    """Never reads a whole table to learn how many pages there are."""

    object_list: QuerySet
    template_name = "admin/desk/pagination.html"
    is_estimated = False

    @cached_property
    def count(self) -> int:
        rows = self.object_list.order_by().values("pk")
        counted = rows[: EXACT_UP_TO + 1].count()
        if counted <= EXACT_UP_TO:
            return counted
        self.is_estimated = True
        plan = json.loads(rows.explain(format="json"))
        return max(counted, int(plan[0]["Plan"]["Plan Rows"]))

    @cached_property
    def num_pages(self) -> int:
        """Far pages are slow to reach and nobody leafs so far: filters find what is there."""
        return min(super().num_pages, EXACT_UP_TO // self.per_page)

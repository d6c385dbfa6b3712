"""Routes of Review: its queues, and what is kept for the person who works through them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from services.labeler.api.images import unknown
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AppContext, CurrentService, Labeler
from services.labeler.commands.naming import filter_named
from services.labeler.commands.outcomes import Refused
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.fields import Name
from services.labeler.queries import images, kept_work, leases, review_queues, saved_filters
from services.labeler.queries.queue_queries import AskedQueue
from shared.clients.answers import ReviewQueue
from shared.clients.browse import ImageFilter, Sort, read_time
from shared.clients.labeler import MAX_LEASED_ITEMS, MAX_REVIEW_ITEMS
from shared.clients.review import DoubleChecked, QueueName, Queues, SavedFilter, Skipped
from shared.contract.label_set import LabelSet
from shared.http.bodies import JsonBody

router = APIRouter(prefix="/review", tags=["labels"])
QUEUE = "Which images: see the description"
QUEUES = """The queues: `doubtful` (not reviewed, the most useful first), `to_vote` (others have voted about them, where
labels need several equal votes), `contradicts_label` (the model contradicts the label), `contradicts_data_set` (similar
images do), `people_disagree`, `wrong_answers` (a person said that an answer is wrong, and not what is right),
`second_look` (another person contradicted model and data set again and again), `drifted` (stored since pictures look
different), `set_aside` (the model leaves the label out), `new_today` (the last 24 hours), `my_skipped` (you left them
for later) and `filter` (what the other parameters say, but what you decided about yourself)."""


class ReviewQuery(ImageFilter):
    """What can be asked of Review: a queue, and of `filter` what it holds."""

    queue: QueueName = Field("doubtful", description=QUEUE)
    limit: int = Field(20, ge=1, le=MAX_REVIEW_ITEMS, description="How many images at most")
    sort: Sort = Field("newest", description="The order of `filter`")


class LeaseBody(BaseModel):
    """How many images a person wants to have before them, and of which queue."""

    limit: int = Field(20, ge=1, le=MAX_LEASED_ITEMS)
    queue: QueueName = "doubtful"
    filter: ImageFilter = ImageFilter()
    sort: Sort = "newest"


class FilterName(BaseModel):
    """The name of a saved filter."""

    name: Annotated[Name, Field(min_length=1, max_length=100)]


class FilterBody(FilterName):
    """A filter and the order of its images."""

    filter: ImageFilter
    sort: Sort = "newest"


class SkipBody(BaseModel):
    """An image that a person saw at this revision, and whether they leave it for later."""

    image_id: UUID
    revision: int = Field(ge=0, le=2**31 - 2)
    later: bool = True


class DoubleCheckBody(BaseModel):
    """The `asked_about` of the question."""

    asked_about: Annotated[AwareDatetime, BeforeValidator(read_time)]


@router.get(
    "",
    summary="List the images to review",
    description=f"List stored images of a queue, and how many wait. {QUEUES} What you left for later is in"
    " `my_skipped` alone. Needs the role `labeler`.",
    responses=error_responses(403, 422),
)
async def get_review_queue(
    service: CurrentService, user: Labeler, asked: Annotated[ReviewQuery, Query()]
) -> ReviewQueue:
    """See the description."""
    classes = await service.command_bus.classes()
    queue = _asked(service, asked.queue, filter_named(asked, classes), asked.sort, classes)
    now = service.command_bus.clock()
    return await review_queues.review_queue(service.database, user.name, asked.limit, now, queue)


@router.post("/lease", summary="Take the next images to review", responses=error_responses(403, 422))
async def lease_review_queue(service: CurrentService, user: Labeler, body: JsonBody[LeaseBody]) -> ReviewQueue:
    """List the next images of a queue (see `GET /review`) that no other person has before them, and keep them for you
    for five minutes; asking again keeps those that are still to be reviewed. Needs the role `labeler`."""
    classes = await service.command_bus.classes()
    queue = _asked(service, body.queue, filter_named(body.filter, classes), body.sort, classes)
    return await leases.lease_queue(service.database, user.name, body.limit, service.command_bus.clock(), queue)


@router.get("/queues", summary="Count the images in each queue", responses=error_responses(403))
async def count_review_queues(service: CurrentService, user: Labeler) -> Queues:
    """Count how many images wait for you in each queue of `GET /review`, up to 1000 in most, and list the filters that
    you saved. Needs the role `labeler`."""
    bus = service.command_bus
    counts = await review_queues.count_queues(service.database, user.name, bus.clock(), bus.vote_rules)
    return Queues(queues=counts, filters=await saved_filters.saved_filters(service.database, user.name))


@router.get("/filters", summary="List your saved filters", responses=error_responses(403))
async def list_filters(service: CurrentService, user: Labeler) -> list[SavedFilter]:
    """List the filters that you saved, by name. Needs the role `labeler`."""
    return await saved_filters.saved_filters(service.database, user.name)


@router.post("/filters", summary="Save a filter", responses=error_responses(403, 422))
async def save_filter(service: CurrentService, user: Labeler, body: JsonBody[FilterBody]) -> list[SavedFilter]:
    """Save a filter under a name, for you alone; one with this name is replaced. The answer lists all of yours. Needs
    the role `labeler`."""
    now = service.command_bus.clock()
    if not await saved_filters.save_filter(service.database, user.name, body.name, body.filter, body.sort, now):
        raise too_many_filters()
    return await saved_filters.saved_filters(service.database, user.name)


@router.post("/filters/forget", summary="Forget a saved filter", responses=error_responses(403, 422))
async def forget_filter(service: CurrentService, user: Labeler, body: JsonBody[FilterName]) -> list[SavedFilter]:
    """Forget a filter that you saved. The answer lists those that are left. Needs the role `labeler`."""
    await saved_filters.forget_filter(service.database, user.name, body.name)
    return await saved_filters.saved_filters(service.database, user.name)


@router.post("/skipped", summary="Leave an image for later", responses=error_responses(403, 404, 410, 422))
async def skip_image(service: CurrentService, user: Labeler, body: JsonBody[SkipBody]) -> Skipped:
    """Leave an image for later: it is in your queue `my_skipped`, and in no other one for you, until a decision about
    it. With `later` false it is back in the others. Needs the role `labeler`."""
    image = await images.image(service.database, body.image_id)
    if image is None:
        raise unknown(body.image_id)
    refuse_withdrawn(image)
    if body.later:
        now = service.command_bus.clock()
        await kept_work.skip(service.database, user.name, body.image_id, body.revision, now)
    else:
        await kept_work.unskip(service.database, user.name, body.image_id)
    return Skipped(skipped=len(await kept_work.skipped_images(service.database, user.name)))


def _asked(service: AppContext, queue: QueueName, images: ImageFilter, sort: Sort, classes: LabelSet) -> AskedQueue:
    rules, show_model = service.command_bus.vote_rules, service.settings.votes_show_model
    return AskedQueue(queue, images, sort, classes.names, rules, show_model)


def too_many_filters() -> Refused:
    """Return the refusal to save one filter more."""
    return Refused("too_many_filters", f"You have saved {saved_filters.MOST} filters. Forget one first.")


@router.post("/double-check", summary="Say that you looked again", responses=error_responses(403, 422))
async def answer_double_check(service: CurrentService, user: Labeler, body: JsonBody[DoubleCheckBody]) -> DoubleChecked:
    """Answer the `double_check` of a queue: your decisions up to that time are not asked about again. Needs the role
    `labeler`."""
    until = await kept_work.answer_double_check(service.database, user.name, body.asked_about)
    return DoubleChecked(answered_until=until)

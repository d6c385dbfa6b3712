"""The dashboards: what an operator asks, and where the answer is read."""

from infra.observability.panels import PREDICT, Dashboard, Panel, gauge, or_zero, quantile, rate

OF_CLIENTS = 'source="api"'
"""Answers that clients asked for, not those about stored images."""

PIPELINE = Dashboard(
    "pipeline",
    "Pappus: pipeline",
    "From an upload to its label in the tables: what flows, what waits, what failed.",
    (
        Panel(
            "Events by topic",
            "As many as people upload and correct; nothing moves while no person works.",
            "cps",
            {"{{topic}}": rate("pappus_events_published_total", "topic")},
        ),
        Panel(
            "Stored and refused images",
            "Refused ones are few: a bad file or a host that does not answer. Reasons: the log of the ingestor.",
            "cps",
            {"{{topic}}": rate("pappus_events_published_total", "topic", 'topic=~"image.stored|image.rejected"')},
        ),
        Panel(
            "Oldest thing that is not done",
            "Below a second, and some seconds while a seed is stored. A line that rises is a part that stands still.",
            "s",
            {"{{part}}": gauge("pappus_oldest_waiting_seconds", "part")},
        ),
        Panel(
            "Wait in the log, 95th percentile",
            "Some milliseconds: events are taken as they come. More means that a service has too few processes.",
            "s",
            {"{{group}} {{topic}}": quantile(0.95, "pappus_queue_wait_seconds", "group, topic")},
        ),
        Panel(
            "Handling, 95th percentile",
            "Under 0.1 s for images, 0.2 s for the gate; a full training takes seconds to minutes.",
            "s",
            {"{{group}} {{topic}}": quantile(0.95, "pappus_handle_seconds", "group, topic")},
        ),
        Panel(
            "Tables behind the log",
            "0, or a few events for a moment.",
            "short",
            {"{{schema}} {{topic}}": gauge("pappus_projection_lag_events", "schema, topic")},
        ),
        Panel(
            "Folding a batch, 95th percentile",
            "Under 50 ms. More: PostgreSQL is slow, or a replay runs.",
            "s",
            {"{{schema}}": quantile(0.95, "pappus_projection_batch_seconds", "schema")},
        ),
        Panel(
            "Attempts made again",
            "0. A line means that a dependency does not answer now; it heals alone when that comes back.",
            "cps",
            {"{{part}}": or_zero(rate("pappus_retries_total", "part"))},
        ),
        Panel(
            "Dead letters",
            "0. Each one is a message that a person should look at: pappus dlq ls.",
            "short",
            {"{{handler}} {{topic}}": or_zero(gauge("pappus_dead_letters_total", "handler, topic", fold="sum"))},
            "stat",
        ),
    ),
)

SERVING = Dashboard(
    "serving",
    "Pappus: serving",
    "What clients ask, how fast they are answered, and with which model.",
    (
        Panel(
            "Requests by route",
            "As many as clients send.",
            "reqps",
            {"{{method}} {{route}} {{status}}": rate("pappus_http_requests_total", "method, route, status")},
        ),
        Panel(
            "Answer to a request for a prediction",
            "The 99th percentile under 0.1 s for one client; more while all cores are busy.",
            "s",
            {
                f"p{round(share * 100)}": quantile(share, "pappus_http_request_seconds", where=PREDICT)
                for share in (0.5, 0.95, 0.99)
            },
        ),
        Panel(
            "Calls over gRPC",
            "As many as clients send; 0 without a port for them.",
            "reqps",
            {"{{method}} {{code}}": or_zero(rate("pappus_grpc_requests_total", "method, code"))},
        ),
        Panel(
            "Stages of an answer, 95th percentile",
            "Decoding and inference take some milliseconds each.",
            "s",
            {"{{stage}}": quantile(0.95, "pappus_prediction_stage_seconds", "stage")},
        ),
        Panel(
            "Requests in work",
            "A few, those that wait for their turn among them; what would wait longer than 0.25 s is refused.",
            "short",
            {"{{service}}": gauge("pappus_predictions_in_flight_requests", "service", fold="sum")},
        ),
        Panel(
            "Requests without an answer",
            "0, but for files that are no images.",
            "cps",
            {"{{reason}}": or_zero(rate("pappus_prediction_refusals_total", "reason"))},
        ),
        Panel(
            "Answers by label",
            "The share that the real world has.",
            "cps",
            {"{{label}} ({{source}})": rate("pappus_predictions_total", "label, source")},
        ),
        Panel(
            "Answers that were not logged",
            "0. Answers go on while Kafka is away, and are then counted here.",
            "short",
            {"{{service}}": gauge("pappus_predictions_logged_dropped_total", "service", fold="sum")},
            "stat",
        ),
        Panel(
            "Stored images to score",
            "0; after a full model was promoted, all of them, and falling. What stays has bytes that are gone.",
            "short",
            {"images": gauge("pappus_stored_images_waiting_images", fold="sum")},
        ),
        Panel(
            "Images of batches that wait",
            "As many as were asked just now, and falling; more workers of batches answer them sooner.",
            "short",
            {"images": gauge("pappus_batch_predictions_waiting_images")},
        ),
        Panel(
            "Images of batches, finished",
            "answered; others are refusals, by their reason.",
            "cps",
            {"{{outcome}}": or_zero(rate("pappus_batch_predictions_completed_total", "outcome"))},
        ),
        Panel(
            "Messages that a batch is finished",
            "delivered. failed is tried again; given_up is over, and its client has to ask.",
            "short",
            {"{{outcome}}": or_zero(gauge("pappus_batch_callbacks_total", "outcome", fold="sum"))},
        ),
        Panel(
            "The model that answers",
            "One version in all replicas; for a moment two after a promotion.",
            "none",
            {"": 'max by (service, model_version)(pappus_model_info{service=~"$service", model_version=~"$version"})'},
            "table",
        ),
        Panel(
            "Loading a model, 95th percentile",
            "Under 0.1 s for a corrected model; more for a new backbone.",
            "s",
            {"{{service}}": quantile(0.95, "pappus_model_load_seconds", "service")},
        ),
        Panel(
            "Answers by model version",
            "Each version takes over from the one before at once.",
            "cps",
            {
                "{{model_version}}": (
                    'sum by (model_version)(rate(pappus_predictions_total{service=~"$service", source="api"}'
                    "[$__rate_interval]) * on (instance) group_left (model_version)"
                    ' pappus_model_info{model_version=~"$version"})'
                )
            },
        ),
    ),
)

LEARNING = Dashboard(
    "learning",
    "Pappus: learning and the gate",
    "How fast a correction is live, what the gate decided, and why.",
    (
        Panel(
            "Correction to live",
            "0.1 to 0.3 s for all replicas. More: the learning line or a replica is busy.",
            "s",
            {
                "p50 of all": quantile(0.5, "pappus_correction_to_live_seconds"),
                "p95 {{service}}": quantile(0.95, "pappus_correction_to_live_seconds", "service"),
            },
        ),
        Panel(
            "Corrections that are not live",
            "0, but for a moment after each correction. While promotions are frozen it grows.",
            "short",
            {"waiting": gauge("pappus_unserved_corrections"), "left out": gauge("pappus_left_out_corrections")},
        ),
        Panel(
            "Oldest correction that is not live",
            "Under a second. See the runbook of PappusCorrectionNotServed.",
            "s",
            {"age": gauge("pappus_oldest_unserved_correction_seconds")},
        ),
        Panel(
            "Making a candidate, 95th percentile",
            "Features, fit, export and storing: together under 0.1 s.",
            "s",
            {"{{stage}}": quantile(0.95, "pappus_fast_candidate_seconds", "stage")},
        ),
        Panel(
            "A verdict, 95th percentile",
            "Under 0.1 s for a corrected model.",
            "s",
            {"from candidate to verdict": quantile(0.95, "pappus_verdict_seconds")},
        ),
        Panel(
            "Verdicts",
            "Nearly every correction leads to a promotion; rejections name their rule.",
            "short",
            {"{{topic}}": gauge("pappus_verdicts_total", "topic", fold="sum")},
        ),
        Panel(
            "Rules by outcome",
            "Failed rules are few: each kept a worse model out of service.",
            "short",
            {"{{rule}} {{outcome}}": gauge("pappus_verdict_rules_total", "rule, outcome", fold="sum")},
        ),
        Panel(
            "Trials on live requests",
            "Most answers agree; none failed. Dropped ones found no time beside the requests.",
            "short",
            {"{{outcome}}": or_zero(gauge("pappus_trial_answers_total", "outcome", fold="sum"))},
        ),
        Panel(
            "Candidates",
            "One for each correction, and a full one when enough is new.",
            "short",
            {"made": gauge("pappus_events_published_total", where='topic="model.trained"', fold="sum")},
        ),
        Panel(
            "Promotion number",
            "The same in all replicas; it rises by one with each promotion.",
            "none",
            {"{{service}}": gauge("pappus_model_sequence_number", "service")},
        ),
    ),
)

BESIDE = 'statistic=~"labels|confidence"'

DRIFT = Dashboard(
    "drift",
    "Pappus: drift and accuracy",
    "Whether what is asked still looks like what was learned, and whether people agree with the answers.",
    (
        Panel(
            "How far pictures are from those that were learned",
            "Around 16 without drift, under the threshold. Above: PappusDrift.",
            "none",
            {
                "pictures": gauge("pappus_drift_statistic_value", where='statistic="features"'),
                "threshold": gauge("pappus_drift_threshold_value", where='statistic="features"'),
            },
        ),
        Panel(
            "Labels and confidence, as a share of their thresholds",
            "Under 1. They explain a drift, and raise no alarm of their own.",
            "percentunit",
            {
                "{{statistic}}": (
                    f"{gauge('pappus_drift_statistic_value', 'statistic', where=BESIDE)}"
                    f" / {gauge('pappus_drift_threshold_value', 'statistic', where=BESIDE)}"
                )
            },
        ),
        Panel(
            "Drifts that are open",
            "0. At 1 until pictures are as they were, or a full model has learned them.",
            "short",
            {"{{statistic}}": gauge("pappus_drift_open", "statistic")},
        ),
        Panel(
            "Answers compared with what was learned",
            "As many as pictures are asked for the first time; 0 without a reference: train in full once.",
            "ops",
            {"per second": rate("pappus_drift_answers_compared_total")},
        ),
        Panel(
            "Live accuracy since the last full model",
            "A little under the test accuracy, since review shows doubtful images first; with its 95 % interval.",
            "percentunit",
            {"{{bound}}": gauge("pappus_live_accuracy_ratio", "bound")},
        ),
        Panel(
            "Answers people decided about",
            "Rises with review; the more, the narrower the interval beside it.",
            "short",
            {"answers": gauge("pappus_live_accuracy_answers")},
        ),
        Panel(
            "Confidence",
            "The median stays where it was at the last full training; a fall comes before wrong answers.",
            "percentunit",
            {
                "median": quantile(0.5, "pappus_prediction_confidence_ratio", where=OF_CLIENTS),
                "lowest tenth": quantile(0.1, "pappus_prediction_confidence_ratio", where=OF_CLIENTS),
            },
        ),
        Panel(
            "Share of each label in answers",
            "As in the real world; a step means that other pictures are asked.",
            "percentunit",
            {
                "{{label}}": (
                    f"{rate('pappus_predictions_total', 'label', OF_CLIENTS)} / ignoring (label) group_left"
                    f" {rate('pappus_predictions_total', where=OF_CLIENTS)}"
                )
            },
        ),
    ),
)

INFRASTRUCTURE = Dashboard(
    "infrastructure",
    "Pappus: processes",
    "Every process: whether it answers, what it uses, which part of it is red.",
    (
        Panel(
            "Processes that answer",
            "1 for each service; 0: none of its processes answers.",
            "short",
            {"{{service}}": 'max by (service)(up{job="pappus", service=~"$service"})'},
        ),
        Panel(
            "Parts that are red",
            "0. The health page of the process says why: /health.",
            "short",
            {"{{service}} {{part}}": or_zero(f"{gauge('pappus_part_healthy', 'service, part', fold='min')} == 0")},
        ),
        Panel(
            "CPU",
            "A tenth of a core for all together while no work comes in.",
            "short",
            {"{{service}}": rate("process_cpu_seconds_total", "service")},
        ),
        Panel(
            "Memory",
            "100 to 400 MB each; a line that only rises is a leak.",
            "bytes",
            {"{{service}}": gauge("process_resident_memory_bytes", "service", fold="sum")},
        ),
        Panel(
            "Open files",
            "Under 100 each.",
            "short",
            {"{{service}}": gauge("process_open_fds", "service")},
        ),
        Panel(
            "Time since the start",
            "Rises. A step to 0 is a restart.",
            "s",
            {"{{service}}": 'time() - max by (service)(process_start_time_seconds{service=~"$service"})'},
        ),
    ),
)

DASHBOARDS = (PIPELINE, SERVING, LEARNING, DRIFT, INFRASTRUCTURE)

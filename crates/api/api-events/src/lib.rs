//! Amazon EventBridge: event buses, rules and their targets, connections and API destinations, and PutEvents.
//!
//! An event is answered for when the rows of its deliveries are in the store; the controller `event_delivery` brings
//! them to their targets. Targets are clusters of ECS, log groups and API destinations; what this region cannot do
//! (other targets, queues for dead letters, OAuth, archives, other accounts) is refused.

mod connection;
mod errors;
mod names;
mod operations;
mod paging;
mod permissions;
pub mod shapes;
mod targets;
#[cfg(test)]
mod tests;

use encryption::KeyRing;
use event_outbox::Outbox;
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
use shapes::*;
use store::Tables;

/// The service.
pub struct EventsService {
    outbox: Outbox,
    keys: KeyRing,
}

impl EventsService {
    /// The service over a region's outbox; secrets of connections are sealed with `keys`.
    pub fn new(outbox: Outbox, keys: KeyRing) -> Self {
        Self { outbox, keys }
    }

    fn tables(&self) -> &Tables {
        self.outbox.tables()
    }
}

aws_wire::operations! {
    Events for EventsService;
    create_api_destination: CreateApiDestinationRequest => CreateApiDestinationResponse, api_destinations::create;
    create_connection: CreateConnectionRequest => CreateConnectionResponse, connections::create;
    create_event_bus: CreateEventBusRequest => CreateEventBusResponse, buses::create;
    delete_api_destination: DeleteApiDestinationRequest => DeleteApiDestinationResponse, api_destinations::delete;
    delete_connection: DeleteConnectionRequest => DeleteConnectionResponse, connections::delete;
    delete_event_bus: DeleteEventBusRequest => (), buses::delete;
    delete_rule: DeleteRuleRequest => (), rules::delete;
    describe_api_destination: DescribeApiDestinationRequest => DescribeApiDestinationResponse, api_destinations::describe;
    describe_connection: DescribeConnectionRequest => DescribeConnectionResponse, connections::describe;
    describe_event_bus: DescribeEventBusRequest => DescribeEventBusResponse, buses::describe;
    describe_rule: DescribeRuleRequest => DescribeRuleResponse, rules::describe;
    disable_rule: DisableRuleRequest => (), rules::disable;
    enable_rule: EnableRuleRequest => (), rules::enable;
    list_api_destinations: ListApiDestinationsRequest => ListApiDestinationsResponse, api_destinations::list;
    list_connections: ListConnectionsRequest => ListConnectionsResponse, connections::list;
    list_event_buses: ListEventBusesRequest => ListEventBusesResponse, buses::list;
    list_rule_names_by_target: ListRuleNamesByTargetRequest => ListRuleNamesByTargetResponse, rules::names_by_target;
    list_rules: ListRulesRequest => ListRulesResponse, rules::list;
    list_tags_for_resource: ListTagsForResourceRequest => ListTagsForResourceResponse, tags::list;
    list_targets_by_rule: ListTargetsByRuleRequest => ListTargetsByRuleResponse, rule_targets::list;
    put_events: PutEventsRequest => PutEventsResponse, put_events::run;
    put_rule: PutRuleRequest => PutRuleResponse, rules::put;
    put_targets: PutTargetsRequest => PutTargetsResponse, rule_targets::put;
    remove_targets: RemoveTargetsRequest => RemoveTargetsResponse, rule_targets::remove;
    tag_resource: TagResourceRequest => TagResourceResponse, tags::tag;
    test_event_pattern: TestEventPatternRequest => TestEventPatternResponse, test_event_pattern::run;
    untag_resource: UntagResourceRequest => UntagResourceResponse, tags::untag;
    update_api_destination: UpdateApiDestinationRequest => UpdateApiDestinationResponse, api_destinations::update;
    update_connection: UpdateConnectionRequest => UpdateConnectionResponse, connections::update;
    update_event_bus: UpdateEventBusRequest => UpdateEventBusResponse, buses::update;
}

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

use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use encryption::KeyRing;
use event_outbox::Outbox;
use operations as op;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
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

/// One method per operation, all alike: hand over to a function of the operation's module.
macro_rules! operations {
    ($($name:ident: $module:ident::$function:ident, $input:ident => $output:ty;)*) => {
        #[async_trait::async_trait]
        impl Events for EventsService {
            async fn permissions(
                &self,
                operation: &'static Operation,
                context: &RequestContext,
                input: &Node,
            ) -> Result<Vec<Permission>, ServiceError> {
                permissions::of(self, context, operation, input).await
            }

            $(async fn $name(&self, context: &RequestContext, input: $input) -> Result<$output, ServiceError> {
                op::$module::$function(self, context, input).await
            })*
        }
    };
}

operations! {
    create_api_destination: api_destinations::create, CreateApiDestinationRequest => CreateApiDestinationResponse;
    create_connection: connections::create, CreateConnectionRequest => CreateConnectionResponse;
    create_event_bus: buses::create, CreateEventBusRequest => CreateEventBusResponse;
    delete_api_destination: api_destinations::delete, DeleteApiDestinationRequest => DeleteApiDestinationResponse;
    delete_connection: connections::delete, DeleteConnectionRequest => DeleteConnectionResponse;
    delete_event_bus: buses::delete, DeleteEventBusRequest => ();
    delete_rule: rules::delete, DeleteRuleRequest => ();
    describe_api_destination: api_destinations::describe, DescribeApiDestinationRequest => DescribeApiDestinationResponse;
    describe_connection: connections::describe, DescribeConnectionRequest => DescribeConnectionResponse;
    describe_event_bus: buses::describe, DescribeEventBusRequest => DescribeEventBusResponse;
    describe_rule: rules::describe, DescribeRuleRequest => DescribeRuleResponse;
    disable_rule: rules::disable, DisableRuleRequest => ();
    enable_rule: rules::enable, EnableRuleRequest => ();
    list_api_destinations: api_destinations::list, ListApiDestinationsRequest => ListApiDestinationsResponse;
    list_connections: connections::list, ListConnectionsRequest => ListConnectionsResponse;
    list_event_buses: buses::list, ListEventBusesRequest => ListEventBusesResponse;
    list_rule_names_by_target: rules::names_by_target, ListRuleNamesByTargetRequest => ListRuleNamesByTargetResponse;
    list_rules: rules::list, ListRulesRequest => ListRulesResponse;
    list_tags_for_resource: tags::list, ListTagsForResourceRequest => ListTagsForResourceResponse;
    list_targets_by_rule: rule_targets::list, ListTargetsByRuleRequest => ListTargetsByRuleResponse;
    put_events: put_events::run, PutEventsRequest => PutEventsResponse;
    put_rule: rules::put, PutRuleRequest => PutRuleResponse;
    put_targets: rule_targets::put, PutTargetsRequest => PutTargetsResponse;
    remove_targets: rule_targets::remove, RemoveTargetsRequest => RemoveTargetsResponse;
    tag_resource: tags::tag, TagResourceRequest => TagResourceResponse;
    test_event_pattern: test_event_pattern::run, TestEventPatternRequest => TestEventPatternResponse;
    untag_resource: tags::untag, UntagResourceRequest => UntagResourceResponse;
    update_api_destination: api_destinations::update, UpdateApiDestinationRequest => UpdateApiDestinationResponse;
    update_connection: connections::update, UpdateConnectionRequest => UpdateConnectionResponse;
    update_event_bus: buses::update, UpdateEventBusRequest => UpdateEventBusResponse;
}

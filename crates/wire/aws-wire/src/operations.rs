//! The one implementation that all services' traits have.

/// Implements a service's trait: what a caller needs is said by the service's `permissions::of`, and each operation is
/// handed over to a function of its module below `operations`, as `name: Input => Output, module::function;`.
#[macro_export]
macro_rules! operations {
    ($trait:ident for $service:ident; $($name:ident: $input:ty => $output:ty, $module:ident::$function:ident;)*) => {
        #[async_trait::async_trait]
        impl $trait for $service {
            async fn permissions(
                &self,
                operation: &'static $crate::Operation,
                context: &$crate::RequestContext,
                input: &$crate::Node,
            ) -> Result<Vec<$crate::Permission>, $crate::ServiceError> {
                permissions::of(self, context, operation, input).await
            }

            $(async fn $name(
                &self,
                context: &$crate::RequestContext,
                input: $input,
            ) -> Result<$output, $crate::ServiceError> {
                Ok(operations::$module::$function(self, context, input).await?)
            })*
        }
    };
}

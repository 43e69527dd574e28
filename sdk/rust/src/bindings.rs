//! The contract in `wit/`, bound.
//!
//! One binding per world: each `export_*` macro carries the description of its own world only, so a
//! component's type holds the interfaces that `plugin!` exported and no others; imports that nothing
//! calls fall away when the component is made.
#![allow(missing_docs, missing_debug_implementations, clippy::all)]

macro_rules! world {
    ($module:ident, $world:literal, $export:literal $(, $with:literal)?) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                export_macro_name: $export,
                pub_export_macro: true,
                default_bindings_module: "::luckystack::__private::bindings",
                runtime_path: "::luckystack::__private::rt",
                with: { $($with: ::luckystack::__private::bindings::imports::luckystack::plugin::types)? },
            });
        }
    };
}

pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "imports",
        generate_all,
        generate_unused_types: true,
        runtime_path: "::luckystack::__private::rt",
    });
}

world!(manifest, "manifest", "export_manifest");
world!(api, "api-handlers", "export_api", "luckystack:plugin/types@0.1.0");
world!(sync_server, "sync-server-handlers", "export_sync_server", "luckystack:plugin/types@0.1.0");
world!(sync_client, "sync-client-handlers", "export_sync_client", "luckystack:plugin/types@0.1.0");
world!(hooks, "hook-handlers", "export_hooks", "luckystack:plugin/types@0.1.0");
world!(functions, "function-provider", "export_functions", "luckystack:plugin/types@0.1.0");
world!(user_store, "user-storing", "export_user_store", "luckystack:plugin/types@0.1.0");
world!(error_formatter, "error-formatting", "export_error_formatter", "luckystack:plugin/types@0.1.0");

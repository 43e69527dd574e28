//! Typed calls into the contract's exports, generated from `wit/`.

#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    inline: "
        package luckystack:host;
        world everything-a-plugin-may-export {
            export luckystack:plugin/plugin@0.1.0;
            export luckystack:plugin/api@0.1.0;
            export luckystack:plugin/sync-server@0.1.0;
            export luckystack:plugin/sync-client@0.1.0;
            export luckystack:plugin/hooks@0.1.0;
            export luckystack:plugin/functions@0.1.0;
            export luckystack:plugin/error-formatter@0.1.0;
            export luckystack:plugin/user-store@0.1.0;
        }
    ",
    path: "../../wit",
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
});

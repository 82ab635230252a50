// A preload that the service has of its own.
"use strict";
globalThis.own = "kept";

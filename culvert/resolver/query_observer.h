#pragma once

#include <functional>

#include "culvert/base/bytes.h"
#include "culvert/dns/stub_io.h"

namespace culvert::resolver {

/// Whom to tell what comes of a dns::Ask; also from within the call that asks.
struct QueryObserver {
    /// A message that claims to be the response: it has the query's id. Over UDP a better one may follow, until
    /// dns::StopAsking.
    std::function<void(dns::AskId, Bytes message)> on_response;
    /// Nothing follows.
    std::function<void(dns::AskId)> on_failure;
};

}  // namespace culvert::resolver

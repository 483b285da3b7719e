#pragma once

#include "culvert/http/message.h"
#include "culvert/portal/registration.h"

namespace culvert::portal_server {

/// A refusal as devices read it: RFC 9457 with a code (spec/newer-dialect.md section 3.1).
[[nodiscard]] http::Response to_problem(const portal::Refusal& refusal);

}  // namespace culvert::portal_server

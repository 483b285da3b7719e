#pragma once

#include <string>

#include "tests/model/scenario/names.h"

/// What judges call the devices in their verdicts.
namespace culvert::model {

[[nodiscard]] inline std::string name(ClientNo client) {
    return "client" + std::to_string(client.value);
}
[[nodiscard]] inline std::string name(GatewayNo gateway) {
    return "gateway" + std::to_string(gateway.value);
}

}  // namespace culvert::model

#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "tests/model/scenario/action.h"

/// Scenarios as text that people read, write and commit: it outlives changes of decode().
///
///     # Two policies for one resource; the second one goes.
///     case seed=42 groups=2
///     client1 nat=independent,address-and-port latency=20ms groups=group1,group2
///     gateway1 site1
///     relay1
///     resource1 10.20.0.0/24 sites=site1 filters=tcp:80-90,icmp
///     policy group1 resource1
///     policy group2 resource1
///     t=2.000 probe client1 resource1:5 tcp from=5555 to=443 count=3 every=100ms
///     t=2.100 delete-policy group2 resource1
///     t=12.000 settle
///
/// One part per line, setup before steps; `t` is in seconds. What is not written has the default of its type. The words
/// of each line are those of the part's kShape.
namespace culvert::model {

/// Every scenario whose search domains have neither spaces nor `#` can be read back.
[[nodiscard]] std::string to_script(const Scenario& scenario);

/// The error names the line and what is wrong with it, for a person: a word that is not understood, a client that does
/// not exist, a step before the one above it.
[[nodiscard]] std::expected<Scenario, std::string> parse_script(std::string_view script);

}  // namespace culvert::model

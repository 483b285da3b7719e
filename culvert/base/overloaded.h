#pragma once

namespace culvert {

/// Builds a visitor for std::visit from lambdas, one per alternative.
template <typename... Visitors>
struct overloaded : Visitors... {
    using Visitors::operator()...;
};

}  // namespace culvert

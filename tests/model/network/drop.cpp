#include "tests/model/network/drop.h"

namespace culvert::model {

std::string_view name_of(DropReason reason) {
    switch (reason) {
        case DropReason::kNotAttached:
            return "not-attached";
        case DropReason::kNoSourceAddress:
            return "no-source-address";
        case DropReason::kForeignSource:
            return "foreign-source";
        case DropReason::kNoSuchAddress:
            return "no-such-address";
        case DropReason::kStaleAddress:
            return "stale-address";
        case DropReason::kPrivateUnreachable:
            return "private-unreachable";
        case DropReason::kTooBig:
            return "too-big";
        case DropReason::kLoss:
            return "loss";
        case DropReason::kQueueFull:
            return "queue-full";
        case DropReason::kBlocked:
            return "blocked";
        case DropReason::kFamilyLost:
            return "family-lost";
        case DropReason::kNatNoHairpin:
            return "nat-no-hairpin";
        case DropReason::kNatNoMapping:
            return "nat-no-mapping";
        case DropReason::kNatFiltered:
            return "nat-filtered";
    }
    return "unknown";
}

}  // namespace culvert::model

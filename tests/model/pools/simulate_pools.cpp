// culvert-simulate-pools [FIRST-SEED [CASES]]

#include "tests/model/pools/pools_world.h"
#include "tests/model/run/small_world.h"

int main(int argc, char** argv) {
    return culvert::model::SmallWorld<culvert::model::pools::PoolsWorld>::main(argc, argv);
}

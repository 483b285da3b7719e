// culvert-simulate-names [FIRST-SEED [CASES]]

#include "tests/model/names/names_world.h"
#include "tests/model/run/small_world.h"

int main(int argc, char** argv) {
    return culvert::model::SmallWorld<culvert::model::names::NamesWorld>::main(argc, argv);
}

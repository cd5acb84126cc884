/* libFuzzer has the main(). */
typedef int nothing_here;

/*
 * What a static OpenBLAS needs of the Fortran run-time library. libgfortran.a itself cannot be linked into a
 * shared object (it is not position independent), and LAPACK uses only string concatenation of it.
 */
#include <stddef.h>
#include <string.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* Fortran's  a // b  with blank padding. */
HIDDEN void _gfortran_concat_string(size_t destination_size, char* destination, size_t first_size,
                                    const char* first, size_t second_size, const char* second) {
  if (first_size >= destination_size) {
    memcpy(destination, first, destination_size);
    return;
  }
  memcpy(destination, first, first_size);
  destination += first_size;
  destination_size -= first_size;
  if (second_size >= destination_size) {
    memcpy(destination, second, destination_size);
    return;
  }
  memcpy(destination, second, second_size);
  memset(destination + second_size, ' ', destination_size - second_size);
}

/* BLAS and LAPACK report a bad argument here. Their own version prints, and the reference one ends the
 * process. */
HIDDEN _Thread_local int extrema_blas_bad_argument;
HIDDEN int xerbla_(const char* routine, const int* info, size_t routine_size) {
  (void)routine;
  (void)routine_size;
  extrema_blas_bad_argument = *info;
  return 0;
}
